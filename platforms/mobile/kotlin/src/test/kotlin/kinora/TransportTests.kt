package kinora

import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertTrue

/** The JDK transport carries requests out and judges nothing. */
fun Tests.transportTests() {
    test("a response comes as head, data and end, with the URL after redirects") {
        val server = FakeServer { exchange ->
            when (exchange.requestURI.path) {
                "/old" -> {
                    exchange.responseHeaders.set("Location", "/new?x=1")
                    exchange.reply(302, "")
                }
                else -> {
                    exchange.responseHeaders.set("Retry-After", "7")
                    exchange.responseHeaders.set("CMSD-Dynamic", "\"edge\";etp=9")
                    exchange.responseHeaders.set("CMSD-Static", "ot=v")
                    exchange.responseHeaders.set("SMRT-Data", "x")
                    exchange.reply(200, "hello", "application/x-test")
                }
            }
        }
        server.use {
            val heard = fetch(request("${server.url}/old"))
            val head = assertIs<Heard.Head>(heard[0]).head
            val expected = ResponseHead(
                200u, "${server.url}/new?x=1", "application/x-test", 5uL, "7", head.date, "\"edge\";etp=9", "ot=v", "x",
            )
            assertEquals(expected, head)
            assertEquals("hello", heard.filterIsInstance<Heard.Data>().joinToString("") { it.text })
            assertIs<Heard.End>(heard.last())
        }
    }

    test("headers and byte ranges are asked for as the player says") {
        val asked = LinkedBlockingQueue<Map<String, String>>()
        FakeServer { exchange ->
            asked.put(exchange.requestHeaders.mapValues { it.value.joinToString() })
            exchange.reply(206, "part")
        }.use { server ->
            val headers = listOf(Header("CMCD-Request", "bl=2000"))
            fetch(request(server.url, ByteRange(100uL, 50uL), headers))
            val first = asked.take()
            assertEquals("bytes=100-149", first["Range"])
            assertEquals("bl=2000", first["Cmcd-request"])
            fetch(request(server.url, ByteRange(100uL, null)))
            assertEquals("bytes=100-", asked.take()["Range"])
        }
    }

    test("a server that is not there is a network failure") {
        val gone = FakeServer { false }.apply { close() }
        val failure = assertIs<Heard.Failed>(fetch(request("${gone.url}/a")).single()).failure
        assertTrue("Connect" in assertIs<RequestFailure.Network>(failure).reason, "$failure")
    }

    test("a body that breaks off is an interruption") {
        FakeServer { exchange ->
            exchange.sendResponseHeaders(200, 1000)
            exchange.responseBody.write(ByteArray(10))
            exchange.responseBody.flush()
            // Ending before all is sent closes the connection.
            runCatching { exchange.close() }
            true
        }.use { server ->
            val heard = fetch(request("${server.url}/a"))
            assertIs<Heard.Head>(heard.first())
            assertIs<RequestFailure.Interrupted>(assertIs<Heard.Failed>(heard.last()).failure)
        }
    }

    test("a body there is no room for is an interruption, and its connection is closed") {
        val sent = CompletableFuture<Throwable>()
        FakeServer { exchange ->
            exchange.sendResponseHeaders(200, 0)
            try {
                while (true) exchange.responseBody.write(ByteArray(100_000))
            } catch (problem: java.io.IOException) {
                sent.complete(problem)
            }
            true
        }.use { server ->
            val heard = LinkedBlockingQueue<Heard>()
            val full = object : HttpTransport.Receiver by Ear(heard) {
                override fun data(bytes: ByteBuffer) = throw OutOfMemoryError("no room")
            }
            JdkTransport().start(request(server.url), full)
            val failed = heard.await { it is Heard.Failed } as Heard.Failed
            assertTrue("no room" in assertIs<RequestFailure.Interrupted>(failed.failure).reason)
            sent.get(20, TimeUnit.SECONDS)
        }
    }

    test("what is no URL is an invalid request") {
        for (url in listOf("", "not a url", "ftp://example.com/a", "http://")) {
            val heard = fetch(request(url)).single()
            assertIs<RequestFailure.Invalid>(assertIs<Heard.Failed>(heard).failure, url)
        }
    }

    test("a cancelled request closes its connection and says nothing more") {
        SilentServer().use { server ->
            val heard = LinkedBlockingQueue<Heard>()
            val exchange = JdkTransport().start(request("${server.url}/a"), Ear(heard))
            val connection = server.connections.poll(20, TimeUnit.SECONDS)!!
            val input = connection.getInputStream()
            assertEquals('G'.code, input.read())
            exchange.cancel()
            while (input.read() >= 0) { }
            assertTrue(heard.none { it is Heard.Head || it is Heard.End }, "$heard")
        }
    }
}

private sealed interface Heard {
    data class Head(val head: ResponseHead) : Heard

    data class Data(val text: String) : Heard

    data class Failed(val failure: RequestFailure) : Heard

    data object End : Heard
}

private class Ear(private val heard: LinkedBlockingQueue<Heard>) : HttpTransport.Receiver {
    override fun head(head: ResponseHead) = heard.put(Heard.Head(head))

    override fun data(bytes: ByteBuffer) =
        heard.put(Heard.Data(ByteArray(bytes.remaining()).also { bytes.get(it) }.decodeToString()))

    override fun end(fromCache: Boolean) = heard.put(Heard.End)

    override fun failed(failure: RequestFailure) = heard.put(Heard.Failed(failure))
}

private fun fetch(request: Request): List<Heard> {
    val heard = LinkedBlockingQueue<Heard>()
    JdkTransport().start(request, Ear(heard))
    return ArrayList<Heard>().apply {
        while (lastOrNull() !is Heard.End && lastOrNull() !is Heard.Failed) {
            add(heard.poll(20, TimeUnit.SECONDS) ?: throw AssertionError("no end after $this"))
        }
    }
}

fun request(
    url: String,
    range: ByteRange? = null,
    headers: List<Header> = emptyList(),
    body: BodyHandling = BodyHandling.DELIVER,
) = Request(1uL, RequestKind.Manifest, url, range, body, headers, null)
