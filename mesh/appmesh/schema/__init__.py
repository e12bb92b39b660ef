"""The shapes of `appmesh.k8s.aws/v1beta2`, field for field as AWS's CustomResourceDefinitions have them."""
