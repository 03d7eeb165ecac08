package kinora

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.ServerSocket
import java.net.Socket
import java.nio.file.Files
import java.util.concurrent.Executors
import java.util.concurrent.LinkedBlockingQueue

/** The real server, as a process of its own, serving the clip. */
class KinoraServer : AutoCloseable {
    private val process = ProcessBuilder(
        System.getProperty("kinora.server"), "serve", Clip.root.toString(), "--listen", "127.0.0.1:0",
    ).redirectError(ProcessBuilder.Redirect.DISCARD).start()

    /** Where it listens, such as `http://127.0.0.1:40123`. */
    val url: String = process.inputReader().let { lines ->
        generateSequence(lines::readLine).firstNotNullOfOrNull { line ->
            line.substringAfter("listening on ", "").ifEmpty { null }
        } ?: error("the server ended with ${process.waitFor()}")
    }

    override fun close() {
        process.destroy()
        process.waitFor()
    }
}

/** A server that answers as a test wants; paths it says nothing of are the clip's files. */
class FakeServer(private val answer: (HttpExchange) -> Boolean) : AutoCloseable {
    private val threads = Executors.newCachedThreadPool { task -> Thread(task).apply { isDaemon = true } }
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
        executor = threads
        createContext("/") { exchange -> if (!answer(exchange)) serveClip(exchange) }
        start()
    }

    val url = "http://127.0.0.1:${server.address.port}"

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }
}

/** Answers a request with text. */
fun HttpExchange.reply(status: Int, body: String, type: String = "text/plain"): Boolean {
    responseHeaders.set("Content-Type", type)
    val bytes = body.toByteArray()
    sendResponseHeaders(status, if (bytes.isEmpty()) -1 else bytes.size.toLong())
    responseBody.use { it.write(bytes) }
    return true
}

private fun serveClip(exchange: HttpExchange) {
    val file = Clip.root.resolve(exchange.requestURI.path.removePrefix("/"))
    if (!Files.isRegularFile(file)) {
        exchange.reply(404, "no such file")
        return
    }
    exchange.sendResponseHeaders(200, Files.size(file))
    exchange.responseBody.use { Files.copy(file, it) }
}

/** A server that takes connections and never says anything. */
class SilentServer : AutoCloseable {
    private val socket = ServerSocket(0, 16, InetAddress.getLoopbackAddress())

    /** Every connection that came in. */
    val connections = LinkedBlockingQueue<Socket>()

    private val acceptor = Thread {
        runCatching { while (true) connections.put(socket.accept()) }
    }.apply {
        isDaemon = true
        start()
    }

    val url = "http://127.0.0.1:${socket.localPort}"

    override fun close() {
        socket.close()
        acceptor.join()
        connections.forEach(Socket::close)
    }
}
