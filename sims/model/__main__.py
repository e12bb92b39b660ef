"""`python -m sims.model`: serves until SIGTERM or SIGINT; starts only with the model its card names."""

from sims.model.app import application
from sims.model.settings import ModelSettings
from sims.observe import log_as_json
from sims.web import serve

if __name__ == "__main__":
    settings = ModelSettings()
    log_as_json("model")
    serve(application(settings), settings.host, settings.port)
