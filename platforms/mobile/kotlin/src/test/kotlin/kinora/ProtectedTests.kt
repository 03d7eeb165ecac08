package kinora

import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse.BodyHandlers
import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import java.security.MessageDigest
import java.util.Base64
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Encrypted films, with the real licence service, and the decryption of the library itself. */
fun Tests.protectedTests() {
    for ((scheme, manifest) in listOf(
        "cbcs" to "master.m3u8", "cbcs" to "manifest.mpd", "cenc" to "master.m3u8", "cenc" to "manifest.mpd",
    )) {
        test("$scheme from $manifest is decrypted to the clear film") {
            ProtectedService().use { service ->
                val asked = Licences()
                val recorder = Recorder()
                ClearKeySystem().use { keys ->
                    val through = { sink: MediaSink -> keys.decrypting(recorder.before(sink)) }
                    Viewer(service.play(scheme), filter = asked, keySystem = keys, through = through).use { viewer ->
                        viewer.player.load("${service.url}/$scheme/$manifest").get(30, TimeUnit.SECONDS)
                        viewer.player.play()
                        viewer.hears<Told.Ended>()
                        assertPlayedWell(viewer)
                        assertNothingShows(viewer, service, asked.keys())
                    }
                }
                assertClear(recorder, scheme)
                assertTrue(asked.bodies.size >= 2, "a licence for the picture, and one for the sound")
            }
        }
    }

    test("segments encrypted as a whole are decrypted before the sink sees them") {
        ProtectedService().use { service ->
            val recorder = Recorder()
            val asked = Licences()
            Viewer(service.play("aes-128"), filter = asked, through = recorder::before).use { viewer ->
                viewer.player.load("${service.url}/aes-128/master.m3u8").get(30, TimeUnit.SECONDS)
                viewer.player.play()
                viewer.hears<Told.Ended>()
                assertPlayedWell(viewer)
                assertNothingShows(viewer, service, asked.keys())
            }
            assertClear(recorder, "aes-128")
        }
    }

    test("without a licence nothing is appended, and the error has what the server said") {
        ProtectedService().use { service ->
            val recorder = Recorder()
            ClearKeySystem().use { keys ->
                val config = service.play("cbcs").let { config ->
                    val system = config.drm.keySystems.single().copy(headers = emptyList())
                    config.copy(drm = DrmConfig(listOf(system)))
                }
                val through = { sink: MediaSink -> keys.decrypting(recorder.before(sink)) }
                Viewer(config, keySystem = keys, through = through).use { viewer ->
                    viewer.player.load("${service.url}/cbcs/manifest.mpd")
                    val failed = viewer.heard { it is Told.Failed } as Told.Failed
                    assertEquals(ErrorCode.LICENSE_REFUSED, failed.error.code)
                    assertEquals(401u.toUShort(), failed.error.httpStatus)
                }
            }
            assertTrue(recorder.segments.isEmpty(), "nothing encrypted is shown")
        }
    }
}

private val films = Path.of(System.getProperty("kinora.protected"))

private fun assertPlayedWell(viewer: Viewer) {
    assertEquals(emptyList(), viewer.told<Told.Warned>().filter { it.warning is Warning.Key })
    assertEquals(4.0, viewer.sink.presented.seconds, 0.1, "every second was presented")
}

/** What the sink was given is what the same encoder made without encryption, byte for byte. */
private fun assertClear(recorder: Recorder, scheme: String) {
    val clear = mediaOf("clear")
    assertTrue(mediaOf(scheme).none { it in clear }, "the files are encrypted, indeed")
    for ((kind, segments) in recorder.segments) {
        assertEquals(2, segments.size, "$kind")
        assertTrue(segments.all { it in clear }, "$kind of $scheme is not what it was before encryption")
    }
    assertEquals(setOf(MediaKind.VIDEO, MediaKind.AUDIO), recorder.segments.keys)
    assertNull(recorder.entries.firstOrNull { it.startsWith("enc") }, "${recorder.entries}")
}

private fun mediaOf(film: String): Set<String> =
    Files.walk(films.resolve(film)).use { files ->
        files.filter { it.toString().endsWith(".m4s") }.map { digest(mediaData(Files.readAllBytes(it))) }.toList()
    }.toSet()

/** No token and no key in what a player tells or keeps. */
private fun assertNothingShows(viewer: Viewer, service: ProtectedService, keys: List<ByteArray>) {
    assertTrue(keys.isNotEmpty())
    val log = String(viewer.player.sessionLog(), Charsets.ISO_8859_1)
    val told = viewer.everything().joinToString() + viewer.outputs().joinToString { output ->
        // The driver makes the requests, so it is told what goes into them.
        if (output is Output.Request) "" else output.toString()
    }
    for ((where, text) in listOf("log" to log, "events" to told, "state" to viewer.player.state().toString())) {
        assertTrue(text.isNotEmpty())
        assertTrue(service.token !in text, "a token in the $where")
        for (key in keys) {
            val spellings = listOf(
                String(key, Charsets.ISO_8859_1),
                Base64.getUrlEncoder().withoutPadding().encodeToString(key),
                key.joinToString("") { "%02x".format(it) },
                key.joinToString(", "),
            )
            assertTrue(spellings.none { it in text }, "a key in the $where")
        }
    }
}

/** Reads the licences and keys that pass by, and shows the key server who is watching. */
private class Licences : RequestFilter {
    val bodies: MutableList<ByteArray> = java.util.Collections.synchronizedList(ArrayList())

    override fun filtersResponses(kind: RequestKind) = kind == RequestKind.License || kind == RequestKind.Key

    override fun response(request: Request, response: FilteredResponse): CompletionStage<FilteredResponse> {
        if (response.head.status == 200u.toUShort()) bodies.add(response.body)
        return CompletableFuture.completedFuture(response)
    }

    /** A licence has them in JSON; a key is all there is to its body. */
    fun keys(): List<ByteArray> = synchronized(bodies) { bodies.toList() }.flatMap { body ->
        val found = Regex("\"k\":\"([^\"]+)\"").findAll(String(body)).map { it.groupValues[1] }.toList()
        if (body.size == 16) listOf(body) else found.map(Base64.getUrlDecoder()::decode)
    }
}

/** Keeps what a sink is given. */
private class Recorder {
    /** Digests of the media in each segment, in order. */
    val segments = HashMap<MediaKind, MutableList<String>>()

    /** The sample entries of the initialisation segments. */
    val entries = ArrayList<String>()

    fun before(sink: MediaSink): MediaSink = object : MediaSink by sink {
        override fun append(
            kind: MediaKind,
            bytes: ByteBuffer,
            timestampOffset: MediaTime,
            window: TimeRange,
            done: (OperationResult) -> Unit,
        ) {
            val copy = ByteArray(bytes.remaining()).also(bytes.duplicate()::get)
            if (isInitialization(bytes)) {
                entries += Regex("encv|enca|avc1|mp4a").findAll(String(copy, Charsets.ISO_8859_1)).map { it.value }
            } else {
                segments.getOrPut(kind, ::ArrayList) += digest(mediaData(copy))
            }
            sink.append(kind, bytes, timestampOffset, window, done)
        }
    }
}

private fun digest(bytes: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

/** What is in the `mdat` boxes; of what has none, all of it. */
private fun mediaData(segment: ByteArray): ByteArray {
    val all = ByteBuffer.wrap(segment)
    var media = ByteArray(0)
    while (all.remaining() >= 8) {
        val size = all.getInt(all.position())
        val kind = String(segment, all.position() + 4, 4, Charsets.ISO_8859_1)
        if (size < 8 || size > all.remaining()) return segment
        if (kind == "mdat") media += segment.copyOfRange(all.position() + 8, all.position() + size)
        all.position(all.position() + size)
    }
    return if (media.isEmpty()) segment else media
}

/** The whole service with the encrypted films, and a viewer who is signed in. */
private class ProtectedService : AutoCloseable {
    private val client = HttpClient.newHttpClient()
    private val data = Files.createTempDirectory("kinora-protected")
    private val process: Process
    val url: String
    var token = ""
        private set

    init {
        // Of its own: accounts and playbacks of one test are none of another's.
        films.resolve("data").toFile().copyRecursively(data.toFile(), overwrite = true)
        val mounts = listOf("cbcs", "cenc", "aes-128").flatMap { listOf("--mount", "/$it=${films.resolve(it)}") }
        val command = listOf(System.getProperty("kinora.server"), "serve") + mounts +
            listOf("--data", "$data", "--listen", "127.0.0.1:0")
        process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start()
        url = generateSequence(process.inputReader()::readLine).firstNotNullOf { line ->
            line.substringAfter("listening on ", "").ifEmpty { null }
        }
        val credentials = "\"email\":\"ada@example.org\",\"password\":\"correct horse battery\""
        ask("/v1/accounts", """{$credentials,"region":"DE","profile_name":"Ada","language":"de"}""")
        token = member("access_token", ask("/v1/sessions", "{$credentials}"))
        val profile = member("id", ask("/v1/profiles"))
        token = member("access_token", ask("/v1/profiles/$profile/select", "{}"))
    }

    /** Begins to play a film; what its player has to be configured with. */
    fun play(film: String): Config {
        val license = member("license_url", ask("/v1/playback/$film", ""))
        val system = KeySystemConfig(
            keySystem = "org.w3.clearkey",
            licenseUrl = URI("$url/").resolve(license).toString(),
            headers = listOf(Header("Authorization", "Bearer $token")),
            videoRobustness = null,
            audioRobustness = null,
            certificate = null,
            persistent = false,
            renewAfter = null,
        )
        return defaultConfig().copy(drm = DrmConfig(listOf(system)), record = true)
    }

    private fun ask(path: String, body: String? = null): String {
        val request = HttpRequest.newBuilder(URI("$url$path"))
        if (token.isNotEmpty()) request.header("Authorization", "Bearer $token")
        if (body != null) {
            if (body.isNotEmpty()) request.header("Content-Type", "application/json")
            request.POST(HttpRequest.BodyPublishers.ofString(body))
        }
        val answer = client.send(request.build(), BodyHandlers.ofString())
        check(answer.statusCode() < 300) { "$path: ${answer.statusCode()} ${answer.body()}" }
        return answer.body()
    }

    private fun member(name: String, json: String): String =
        checkNotNull(Regex("\"$name\":\"([^\"]+)\"").find(json)) { "no $name in $json" }.groupValues[1]

    override fun close() {
        process.destroy()
        process.waitFor()
        data.toFile().deleteRecursively()
    }
}
