package kinora

import com.sun.net.httpserver.HttpExchange
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse.BodyHandlers
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** What was played arrives at the service, once, whatever becomes of the way there. */
fun Tests.reporterTests() {
    test("a playback is told to a real service, and moves what is watched on") {
        Service().use { service ->
            val reporter = service.reporter(service.url)
            Viewer().use { viewer ->
                val watching = reporter.watch(viewer.player, ReportedPlayback("p1", "film"))
                viewer.player.load("${service.url}/master.m3u8").get(30, TimeUnit.SECONDS)
                viewer.player.play()
                viewer.hears<Told.Ended>()
                watching.close()
            }
            reporter.tell(Interaction.TitleOpened("film", "new", 0u.toUShort()))
            reporter.flush().get(60, TimeUnit.SECONDS)
            reporter.close()
            // Started, ended, opened, and perhaps other qualities on the way.
            assertTrue(service.counted("accepted") >= 3, "${service.counted("accepted")}")
            assertEquals(listOf(0, 0), listOf(service.counted("rejected"), service.counted("duplicate")))
            assertTrue("startup_seconds_count{platform=\"android\"} 1" in service.ask("/metrics"))
            val begun = service.ask("/v1/continue-watching")
            assertTrue("\"item_id\":\"film\"" in begun, begun)
            val position = Regex("\"position_seconds\":(\\d+)").find(begun)?.groupValues?.get(1)?.toInt() ?: 0
            assertTrue(position in 6..8, begun)
        }
    }

    test("what a service fails to take is sent again by itself, under the same name") {
        val bodies = LinkedBlockingQueue<String>()
        val answers = ArrayDeque(listOf(503, 500, 200))
        FakeServer { it.takes(bodies, synchronized(answers) { answers.removeFirst() }) }.use { server ->
            Reporter(ReporterOptions("${server.url}/v1/events", "ada") { "T" }).use { reporter ->
                reporter.tell(Interaction.Searched(3u.toUShort()))
                reporter.flush().get(20, TimeUnit.SECONDS)
                val names = List(3) { bodies.poll(60, TimeUnit.SECONDS).orEmpty() }.map(::eventIds)
                assertEquals(1, names[0].size)
                assertEquals(List(3) { names[0] }, names)
            }
            assertEquals(null, bodies.poll(), "it has its verdict")
        }
    }

    test("what could not be sent is sent by the next reporter of the same profile") {
        val gone = FakeServer { false }.apply { close() }
        val storage = FileStorage(Files.createTempDirectory("kinora-reporter").resolve("events"))
        Reporter(ReporterOptions("${gone.url}/v1/events", "ada/1", storage = storage) { "T" }).use {
            it.tell(Interaction.Searched(3u.toUShort()))
        }
        val kept = storage.read("ada/1").orEmpty()
        assertEquals(1, eventIds(kept).size)
        val bodies = LinkedBlockingQueue<String>()
        FakeServer { it.takes(bodies, 200) }.use { server ->
            for (profile in listOf("bob", "ada/1")) {
                Reporter(ReporterOptions("${server.url}/v1/events", profile, storage = storage) { "T" }).use {
                    it.flush().get(20, TimeUnit.SECONDS)
                }
                assertEquals(if (profile == "bob") 0 else 1, bodies.size, "as no other profile")
            }
        }
        assertEquals(eventIds(kept), eventIds(bodies.take()))
        assertEquals(null, storage.read("ada/1"))
    }

    test("nothing is sent while nobody is signed in") {
        val bodies = LinkedBlockingQueue<String>()
        FakeServer { it.takes(bodies, 200) }.use { server ->
            var token: String? = null
            Reporter(ReporterOptions("${server.url}/v1/events", "ada") { token }).use { reporter ->
                reporter.tell(Interaction.Searched(3u.toUShort()))
                reporter.flush().get(20, TimeUnit.SECONDS)
                assertEquals(0, bodies.size)
                token = "T"
                reporter.flush().get(20, TimeUnit.SECONDS)
                assertEquals(1, bodies.size)
            }
        }
    }
}

private fun HttpExchange.takes(bodies: LinkedBlockingQueue<String>, status: Int): Boolean {
    if (requestURI.path != "/v1/events") return false
    assertEquals("Bearer T", requestHeaders.getFirst("Authorization"))
    val body = requestBody.readAllBytes().decodeToString()
    // Heard before the answer, so that whoever has that finds it here.
    bodies.put(body)
    return reply(status, "{}", "application/json")
}

private fun eventIds(body: String): List<String> =
    Regex("\"event_id\":\"([^\"]+)\"").findAll(body).map { it.groupValues[1] }.toList()

/** The whole service with one film, and a viewer who is signed in. */
private class Service : AutoCloseable {
    private val data: Path = Files.createTempDirectory("kinora-service")
    private val client = HttpClient.newHttpClient()
    private val process: Process
    val url: String
    private var token: String? = null

    init {
        val catalogue = data.resolve("films.json")
        val media = """{"duration_seconds":600,"hls":"/master.m3u8"}"""
        val film = """{"id":"film","kind":"film","name":"Film","maturity":0,"media":$media}"""
        Files.writeString(catalogue, """{"titles":[$film]}""")
        val server = System.getProperty("kinora.server")
        val import = ProcessBuilder(server, "import", "$catalogue", "--data", "$data").inheritIO().start()
        check(import.waitFor() == 0) { "the film could not be imported" }
        process = ProcessBuilder(server, "serve", Clip.root.toString(), "--data", "$data", "--listen", "127.0.0.1:0")
            .redirectError(ProcessBuilder.Redirect.DISCARD).start()
        url = generateSequence(process.inputReader()::readLine).firstNotNullOf { line ->
            line.substringAfter("listening on ", "").ifEmpty { null }
        }
        val credentials = "\"email\":\"ada@example.org\",\"password\":\"correct horse battery\""
        ask("/v1/accounts", """{$credentials,"region":"DE","profile_name":"Ada","language":"de"}""")
        token = member("access_token", ask("/v1/sessions", "{$credentials}"))
        val profile = member("id", ask("/v1/profiles"))
        token = member("access_token", ask("/v1/profiles/$profile/select", "{}"))
    }

    fun reporter(url: String) = Reporter(ReporterOptions("$url/v1/events", "ada") { token })

    fun ask(path: String, body: String? = null): String {
        val request = HttpRequest.newBuilder(URI("$url$path"))
        token?.let { request.header("Authorization", "Bearer $it") }
        if (body != null) {
            request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body))
        }
        val answer = client.send(request.build(), BodyHandlers.ofString())
        check(answer.statusCode() < 300) { "$path: ${answer.statusCode()} ${answer.body()}" }
        return answer.body()
    }

    /** So many events have that verdict. */
    fun counted(verdict: String): Int =
        Regex("kinora_events_total\\{verdict=\"$verdict\"} (\\d+)").find(ask("/metrics"))?.groupValues?.get(1)?.toInt() ?: 0

    private fun member(name: String, json: String): String =
        checkNotNull(Regex("\"$name\":\"([^\"]+)\"").find(json)) { "no $name in $json" }.groupValues[1]

    override fun close() {
        process.destroy()
        process.waitFor()
        data.toFile().deleteRecursively()
    }
}
