package kinora

import java.time.Duration
import java.util.concurrent.CancellationException
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue

/** What goes wrong ends in a typed error that names it, and nothing hangs. */
fun Tests.failureTests() {
    test("a manifest that is garbage is MANIFEST_UNKNOWN_FORMAT") {
        FakeServer { it.reply(200, "\u0000\u0001 this is no manifest", "video/x-nonsense") }.use { server ->
            val error = failureOf("${server.url}/film.m3u8")
            assertEquals(ErrorCode.MANIFEST_UNKNOWN_FORMAT, error.code)
            assertEquals(ErrorCategory.MANIFEST, error.category)
            assertEquals(Severity.FATAL, error.severity)
            assertEquals("${server.url}/film.m3u8", error.url)
            assertTrue("video/x-nonsense" in error.message, error.message)
        }
    }

    test("a manifest cut off in the middle is MANIFEST_INVALID") {
        FakeServer { it.reply(200, "<?xml version=\"1.0\"?><MPD><Period><Adapt", "application/dash+xml") }.use { server ->
            val error = failureOf("${server.url}/film.mpd")
            assertEquals(ErrorCode.MANIFEST_INVALID, error.code)
            assertEquals(Severity.FATAL, error.severity)
        }
    }

    test("a manifest that is not there is HTTP_STATUS with the status and the URL") {
        FakeServer { it.reply(404, "no such film") }.use { server ->
            val error = failureOf("${server.url}/film.m3u8")
            assertEquals(ErrorCode.HTTP_STATUS, error.code)
            assertEquals(404u.toUShort(), error.httpStatus)
            assertEquals("${server.url}/film.m3u8", error.url)
        }
    }

    test("segments that are not there are HTTP_STATUS, after the manifest was loaded") {
        FakeServer { it.requestURI.path.endsWith(".m4s") && it.reply(404, "gone") }.use { server ->
            Viewer(impatient()).use { viewer ->
                val ready = viewer.player.load("${server.url}/manifest.mpd")
                viewer.hears<Told.Loaded>()
                val error = assertIs<Told.Failed>(viewer.heard { it is Told.Failed }).error
                assertEquals(ErrorCode.HTTP_STATUS, error.code)
                assertEquals(404u.toUShort(), error.httpStatus)
                assertTrue(".m4s" in error.url.orEmpty(), "${error.url}")
                assertEquals(error, playbackError { ready.get(20, TimeUnit.SECONDS) })
            }
        }
    }

    test("a server that is gone is NETWORK_UNREACHABLE, after every attempt") {
        val gone = FakeServer { false }.apply { close() }
        Viewer(impatient()).use { viewer ->
            val ready = viewer.player.load("${gone.url}/film.mpd")
            assertEquals(ErrorCode.NETWORK_UNREACHABLE, playbackError { ready.get(20, TimeUnit.SECONDS) }.code)
            assertEquals(1, viewer.told<Told.Warned>().count { it.warning is Warning.Retry })
            assertEquals(PlaybackStatus.FAILED, viewer.player.state().status)
        }
    }

    test("a server that never answers is NETWORK_TIMEOUT") {
        SilentServer().use { server ->
            assertEquals(ErrorCode.NETWORK_TIMEOUT, failureOf("${server.url}/film.mpd").code)
        }
    }

    test("after a failure, another load plays") {
        FakeServer { it.requestURI.path == "/bad" && it.reply(410, "") }.use { server ->
            Viewer(impatient()).use { viewer ->
                playbackError { viewer.player.load("${server.url}/bad").get(20, TimeUnit.SECONDS) }
                viewer.player.load("${server.url}/master.m3u8").get(30, TimeUnit.SECONDS)
                assertEquals(PlaybackStatus.PAUSED, viewer.player.state().status)
            }
        }
    }

    test("a type the sink does not play is MEDIA_NOT_SUPPORTED") {
        FakeServer { false }.use { server ->
            val picky = HeadlessSink(supports = { "audio" in it })
            KinoraPlayer(picky, impatient()).use { player ->
                val ready = player.load("${server.url}/manifest.mpd")
                val error = playbackError { ready.get(20, TimeUnit.SECONDS) }
                assertEquals(ErrorCode.MEDIA_NOT_SUPPORTED, error.code)
            }
        }
    }

    test("closing while loading ends at once, and closes the connection") {
        SilentServer().use { server ->
            val viewer = Viewer()
            val ready = viewer.player.load("${server.url}/film.mpd")
            val connection = server.connections.poll(20, TimeUnit.SECONDS)!!
            viewer.close()
            viewer.close()
            assertFailsWith<CancellationException> { ready.get(20, TimeUnit.SECONDS) }
            assertFailsWith<IllegalStateException> { viewer.player.load("${server.url}/film.mpd") }
            val input = connection.getInputStream()
            while (input.read() >= 0) { }
            assertTrue(viewer.everything().isEmpty(), "${viewer.everything()}")
        }
    }

    test("loading something else cancels what was loading") {
        SilentServer().use { silent ->
            FakeServer { false }.use { server ->
                Viewer().use { viewer ->
                    val first = viewer.player.load("${silent.url}/film.mpd")
                    val second = viewer.player.load("${server.url}/master.m3u8")
                    assertFailsWith<CancellationException> { first.get(20, TimeUnit.SECONDS) }
                    second.get(30, TimeUnit.SECONDS)
                }
            }
        }
    }

    test("unloading cancels what was loading, and leaves the player idle") {
        SilentServer().use { silent ->
            Viewer().use { viewer ->
                val ready = viewer.player.load("${silent.url}/film.mpd")
                val input = silent.connections.poll(20, TimeUnit.SECONDS)!!.getInputStream()
                viewer.player.unload()
                assertFailsWith<CancellationException> { ready.get(20, TimeUnit.SECONDS) }
                while (input.read() >= 0) { }
                assertEquals(PlaybackStatus.IDLE, viewer.player.state().status)
            }
        }
    }

    test("a listener that throws closes the player instead of hanging it") {
        FakeServer { false }.use { server ->
            Viewer().use { viewer ->
                viewer.player.addListener(object : KinoraPlayer.Listener {
                    override fun onLoaded(duration: MediaTime?, live: Boolean, tracks: List<TrackInfo>): Unit =
                        throw UnsupportedOperationException("a fault of the app")
                })
                val ready = viewer.player.load("${server.url}/master.m3u8")
                val error = playbackError { ready.get(20, TimeUnit.SECONDS) }
                assertEquals(ErrorCode.INTERNAL, error.code)
                assertTrue("a fault of the app" in error.message, error.message)
                assertEquals(error, assertIs<Told.Failed>(viewer.heard { it is Told.Failed }).error)
                assertFailsWith<IllegalStateException> { viewer.player.load(server.url) }
            }
        }
    }
}

/** Two attempts, quickly after each other. */
private fun impatient(): Config = defaultConfig().let { config ->
    val short = Duration.ofMillis(300)
    val budget = RetryBudget(2u, Duration.ofSeconds(5), firstByteTimeout = short, stallTimeout = short)
    config.copy(
        retry = config.retry.copy(
            baseDelay = Duration.ofMillis(10),
            maxDelay = Duration.ofMillis(20),
            manifest = budget,
            playlist = budget,
            init = budget,
            segment = budget,
        ),
    )
}

/** What a load ends with, when it must fail. */
private fun failureOf(url: String): PlayerError = Viewer(impatient()).use { viewer ->
    val error = playbackError { viewer.player.load(url).get(20, TimeUnit.SECONDS) }
    assertEquals(error, assertIs<Told.Failed>(viewer.heard { it is Told.Failed }).error)
    error
}

private fun playbackError(block: () -> Unit): PlayerError =
    assertIs<PlaybackException>(assertFailsWith<ExecutionException> { block() }.cause).error
