package org.elasticsearch.bootstrap;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Starts the unmodified server jar as one node. What Elastic's own start-up adds (the launcher, the entitlement agent) is
 * not on Maven Central; without it the server may also run as root.
 */
public class SingleNode {
    public static void main(String[] arguments) throws Exception {
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName("penstock");
        var home = Settings.builder().put("path.home", System.getProperty("es.path.home")).build();
        var environment = InternalSettingsPreparer.prepareEnvironment(
            home, Map.of(), Path.of(System.getProperty("es.path.conf")), () -> "penstock");
        LogConfigurator.configure(environment, true);
        var modules = PluginsLoader.loadModulesBundles(environment.modulesDir(), false);
        var plugins = PluginsLoader.loadPluginsBundles(environment.pluginsDir(), false);
        var node = new Node(environment, PluginsLoader.createPluginsLoader(modules, plugins, Map.of(), false));
        var isClosed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(20, TimeUnit.SECONDS);
            } catch (Exception exception) {
                exception.printStackTrace();
            }
            isClosed.countDown();
        }));
        node.start();
        isClosed.await();
    }
}
