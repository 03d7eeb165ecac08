package kinora

import com.sun.net.httpserver.HttpExchange
import java.nio.file.Files
import java.nio.file.Path
import java.time.Duration
import java.util.concurrent.TimeUnit
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertNotNull
import kotlin.test.assertTrue

/** The clip plays from the real server, and its session replays to the same outputs. */
fun Tests.playbackTests() {
    for (manifest in listOf("master.m3u8", "manifest.mpd")) {
        test("$manifest plays to the end, and the native player decides the same on its log") {
            KinoraServer().use { server ->
                Viewer(defaultConfig().copy(record = true)).use { viewer ->
                    viewer.player.load("${server.url}/$manifest").get(30, TimeUnit.SECONDS)
                    viewer.player.play()
                    viewer.hears<Told.Ended>()
                    assertPlayedWhole(viewer)
                    assertReplays(viewer)
                }
            }
        }
    }

    test("seeking forward skips what lies between, and plays on to the end") {
        KinoraServer().use { server ->
            Viewer().use { viewer ->
                viewer.player.load("${server.url}/master.m3u8").get(30, TimeUnit.SECONDS)
                viewer.player.play()
                viewer.hears<Told.Playing>()
                viewer.player.seek(MediaTime.ofSeconds(6.5))
                viewer.hears<Told.Ended>()
                assertTrue(viewer.sink.presented.seconds in 1.4..6.0, "${viewer.sink.presented}")
            }
        }
    }

    test("playback starts where it was asked to") {
        KinoraServer().use { server ->
            Viewer().use { viewer ->
                val start = MediaTime.ofSeconds(6.0)
                viewer.player.load("${server.url}/manifest.mpd", start).get(30, TimeUnit.SECONDS)
                assertEquals(6.0, viewer.player.state().position.seconds, 0.05)
                viewer.player.play()
                viewer.hears<Told.Ended>()
                assertEquals(2.0, viewer.sink.presented.seconds, 0.2)
                assertTrue(viewer.choices().all { it.second >= start }, "${viewer.choices()}")
            }
        }
    }

    test("subtitles are told once they are chosen, and no more once they are off") {
        FakeServer { it.replyWithSubtitles() }.use { server ->
            Viewer().use { viewer ->
                val subtitles = Subtitles()
                viewer.player.addListener(subtitles)
                fun at(seconds: Double) = subtitles.at(MediaTime.ofSeconds(seconds)).map { plainText(it.text) }
                viewer.player.load("${server.url}/subtitled.m3u8").get(30, TimeUnit.SECONDS)
                val track = viewer.told<Told.Loaded>().single().tracks.single { it.kind == MediaKind.TEXT }
                assertEquals(listOf("Deutsch", "de", false), listOf(track.label, track.language, track.selected))
                assertEquals(emptyList(), viewer.told<Told.Said>())
                viewer.player.select(Selection.Track(MediaKind.TEXT, track.index))
                val cue = viewer.hears<Told.Said>().cues.single()
                assertEquals("<i>Guten Tag</i>", cue.text)
                assertEquals("line:0", cue.settings)
                assertEquals(listOf(1.0, 2.5), listOf(cue.span.start.seconds, cue.span.end.seconds))
                viewer.player.select(Selection.NoTrack(MediaKind.TEXT))
                viewer.hears<Told.Unsaid>()
                viewer.player.select(Selection.Track(MediaKind.TEXT, track.index))
                viewer.hears<Told.Said>()
                // The listener that was added first has heard it first.
                viewer.player.seek(MediaTime.ofSeconds(7.0))
                viewer.player.play()
                viewer.hears<Told.Ended>()
                assertEquals(listOf("Guten Tag"), at(1.0))
                assertEquals(emptyList(), at(2.5))
                viewer.player.unload()
                viewer.hears<Told.Unsaid>()
                assertEquals(emptyList(), viewer.told<Told.Warned>())
            }
        }
    }

    test("from the moment a quality is pinned, no other is fetched") {
        KinoraServer().use { server ->
            // So fast that it would not choose the lowest, with so little ahead that it must go on choosing.
            val config = defaultConfig().let { usual ->
                usual.copy(
                    buffer = usual.buffer.copy(forward = Duration.ofSeconds(3)),
                    abr = usual.abr.copy(initialThroughputBps = 50e6),
                )
            }
            Viewer(config).use { viewer ->
                viewer.player.load("${server.url}/master.m3u8").get(30, TimeUnit.SECONDS)
                val tracks = viewer.told<Told.Loaded>().single().tracks
                val lowest = tracks.first { it.kind == MediaKind.VIDEO }.qualities.first()
                viewer.player.select(Selection.Representation(MediaKind.VIDEO, lowest.id))
                viewer.player.play()
                viewer.hears<Told.Ended>()
                val chosen = viewer.choices().filter { it.first == MediaKind.VIDEO }.map { it.third }
                assertNotEquals(lowest.id, chosen.first())
                assertEquals(setOf(lowest.id), chosen.dropWhile { it != lowest.id }.toSet())
                val shown = viewer.told<Told.QualityChanged>().filter { it.kind == MediaKind.VIDEO }
                assertEquals(lowest, shown.last().to)
            }
        }
    }
}

/** The clip with a text track. */
private fun HttpExchange.replyWithSubtitles(): Boolean = when (requestURI.path) {
    "/subtitled.m3u8" -> {
        val track = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"text.m3u8\"\n"
        val clip = Files.readString(Clip.root.resolve("master.m3u8"))
        val variants = Regex("^#EXT-X-STREAM-INF:.*$", RegexOption.MULTILINE)
        reply(200, clip.replace(variants) { "${it.value},SUBTITLES=\"text\"" } + track)
    }
    "/text.m3u8" ->
        reply(200, "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\ntext.vtt\n#EXT-X-ENDLIST\n")
    "/text.vtt" ->
        reply(200, "WEBVTT\n\n00:01.000 --> 00:02.500 line:0\n<i>Guten Tag</i>\n")
    else -> false
}

private fun assertPlayedWhole(viewer: Viewer) {
    val loaded = viewer.told<Told.Loaded>().single()
    assertEquals(8.0, assertNotNull(loaded.duration).seconds, 0.1)
    assertEquals(setOf(MediaKind.VIDEO, MediaKind.AUDIO), loaded.tracks.map { it.kind }.toSet())
    assertEquals(8.0, viewer.sink.presented.seconds, 0.1, "every second was presented")
    assertEquals(1, viewer.told<Told.Ready>().size)
    val state = viewer.player.state()
    assertEquals(PlaybackStatus.ENDED, state.status)
    assertEquals(0u, state.totals.stalls, "nothing stalled on the loopback")
    assertEquals(0u, state.totals.retries)
    assertTrue(state.requests.isEmpty(), "${state.requests}")
    for (kind in listOf(MediaKind.VIDEO, MediaKind.AUDIO)) {
        val segments = viewer.segments(kind).map { it.substringAfterLast('/') }
        assertEquals((1..4).map { "seg-0000$it.m4s" }, segments, "$kind")
    }
    val starts = viewer.choices().filter { it.first == MediaKind.VIDEO }.map { it.second.seconds }
    assertEquals(listOf(0.0, 2.0, 4.0, 6.0), starts, "each segment is chosen once, in order")
}

/** The log gives the outputs this driver was given, here and in the native program. */
private fun assertReplays(viewer: Viewer) {
    val log = viewer.player.sessionLog()
    val replayed = replay(log).map { it.output }.filter { it !is Output.Timeout }
    val received = viewer.outputs().filter { it !is Output.Timeout }
    for ((at, pair) in replayed.zip(received).withIndex()) {
        assertEquals(pair.first.comparable(), pair.second.comparable(), "output $at")
    }
    assertEquals(replayed.size, received.size)
    assertEquals(viewer.choices(), replayed.decisions())
    assertTrue(viewer.choices().isNotEmpty())
    assertContentEquals(nativeReplay(log), replayToBytes(log))
}

private fun List<Output>.decisions() =
    filterIsInstance<Output.Event>().map { it.event }.filterIsInstance<Event.Decided>().map { it.decision }
        .map { Triple(it.kind, it.segmentStart, it.quality.id) }

/** Arrays are only equal to themselves; their bytes are what counts. */
private fun Output.comparable(): Any {
    val append = (this as? Output.Media)?.operation?.command as? MediaCommand.Append ?: return this
    val bytes = (append.body as? AppendBody.Bytes)?.bytes ?: return this
    val rest = append.copy(body = AppendBody.Kept(0uL))
    return Triple(operation.id, rest, bytes.toList())
}

/** What the lab, a native build of the same core, makes of a log. */
private fun nativeReplay(log: ByteArray): ByteArray {
    val directory = Files.createTempDirectory("kinora-replay")
    try {
        val input = Files.write(directory.resolve("session.log"), log)
        val raw: Path = directory.resolve("outputs")
        val lab = ProcessBuilder(System.getProperty("kinora.lab"), "replay", "$input", "--raw", "$raw")
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
        assertEquals(0, lab.waitFor(), "kinora-lab replays the log")
        return Files.readAllBytes(raw)
    } finally {
        directory.toFile().deleteRecursively()
    }
}
