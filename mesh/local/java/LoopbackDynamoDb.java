import java.lang.reflect.Field;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * Amazon's DynamoDB Local, heard on the loopback address only.
 *
 * <p>It has no option for an address and listens on all of them without asking who calls; the vault's table lies in it.
 */
public final class LoopbackDynamoDb {
    private LoopbackDynamoDb() {}

    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(arguments);
        Field server = DynamoDBProxyServer.class.getDeclaredField("server");
        server.setAccessible(true);
        Server jetty = (Server) server.get(local);
        ((ServerConnector) jetty.getConnectors()[0]).setHost("127.0.0.1");
        local.start();
        local.join();
    }
}
