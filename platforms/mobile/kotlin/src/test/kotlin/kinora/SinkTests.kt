package kinora

import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

private val EVERYTHING = TimeRange(MediaTime.MIN, MediaTime.MAX)

/** The headless sink takes real media and keeps time. */
fun Tests.sinkTests() {
    test("the core tells when a segment plays") {
        for (representation in listOf(Clip.video, Clip.audio)) {
            val init = Clip.init(representation)
            assertNull(mediaRange(init, init))
            var end = 0.0
            for (segment in Clip.segments(representation)) {
                val range = mediaRange(init, Clip.read(segment))!!
                assertEquals(end, range.start.seconds, 0.1, "$segment follows the one before")
                end = range.end.seconds
            }
            assertEquals(8.0, end, 0.1)
        }
    }

    test("the boxes before mdat are found in a segment and not in text") {
        val segment = Clip.read(Clip.segments(Clip.video).first())
        val length = boxesBeforeMdat(segment)!!.toInt()
        assertEquals("mdat", segment.text(length + 4, 4))
        assertNull(boxesBeforeMdat(direct("<html>not found</html>".toByteArray())))
    }

    test("media that is none is refused with what is wrong") {
        val init = Clip.init(Clip.video)
        val problem = assertFailsWith<SdkException.InvalidMedia> { mediaRange(init, direct(ByteArray(40) { 9 })) }
        assertTrue("byte 0" in problem.reason, problem.reason)
        assertFailsWith<SdkException.InvalidMedia> { mediaRange(direct(ByteArray(0)), Clip.read(Clip.segments(Clip.video).first())) }
    }

    test("appends, offsets, windows and removals show in what is buffered") {
        HeadlessSink().use { sink ->
            sink.attach { }
            sink.open()
            sink.addBuffer(MediaKind.VIDEO, "video/mp4")
            assertEquals(ReadyState.HAVE_NOTHING, sink.state().readyState)
            assertEquals(emptyList(), sink.append(Clip.init(Clip.video)))
            assertEquals(ReadyState.HAVE_METADATA, sink.state().readyState)
            val segments = Clip.segments(Clip.video).map(Clip::read)
            val first = sink.append(segments[0]).single()
            assertEquals(2.0, first.end.seconds, 0.1)
            assertEquals(ReadyState.HAVE_ENOUGH_DATA, sink.state().readyState)
            val shifted = sink.append(segments[1], offset = MediaTime.ofSeconds(10.0))
            assertEquals(12.0, shifted[1].start.seconds, 0.1)
            val window = TimeRange(MediaTime.ofSeconds(5.0), MediaTime.ofSeconds(5.5))
            assertEquals(5.0, sink.append(segments[2], window = window)[1].start.seconds, 1e-6)
            val removed = CompletableFuture<OperationResult>()
            val most = TimeRange(MediaTime.ofSeconds(1.0), MediaTime.MAX)
            sink.remove(MediaKind.VIDEO, most, removed::complete)
            val left = assertIs<OperationResult.Done>(removed.get()).buffered
            assertEquals(1.0, left.single().end.seconds, 1e-6)
        }
    }

    test("the playhead stops where the media stops, and ends at the end") {
        val changes = java.util.concurrent.LinkedBlockingQueue<ElementState>()
        HeadlessSink().use { sink ->
            sink.attach { changes.put(sink.state()) }
            sink.open()
            sink.addBuffer(MediaKind.VIDEO, "video/mp4")
            sink.append(Clip.init(Clip.video))
            val end = sink.append(Clip.read(Clip.segments(Clip.video).first())).single().end
            sink.seek(end - MediaTime.ofSeconds(0.2))
            sink.play()
            val dry = changes.await { it.position == end }
            assertEquals(ReadyState.HAVE_CURRENT_DATA, dry.readyState)
            assertTrue(!dry.paused && !dry.ended, "it waits for more")
            sink.endOfStream()
            val ended = changes.await { it.ended }
            assertEquals(end, ended.position)
            assertTrue(ended.paused, "what has ended is paused")
            assertEquals(0.2, sink.presented.seconds, 0.001)
        }
    }

    test("a sink says what it cannot do") {
        HeadlessSink().use { sink ->
            fun failure(block: () -> Unit) = assertFailsWith<MediaSinkException> { block() }.failure
            sink.attach { }
            assertIs<MediaFailure.InvalidState>(failure { sink.addBuffer(MediaKind.VIDEO, "video/mp4") })
            sink.open()
            assertIs<MediaFailure.NotSupported>(failure { sink.addBuffer(MediaKind.VIDEO, "video/webm") })
            assertIs<MediaFailure.InvalidState>(failure { sink.append(Clip.init(Clip.video)) })
            sink.addBuffer(MediaKind.VIDEO, "video/mp4")
            assertIs<MediaFailure.Decode>(failure { sink.append(direct(ByteArray(99))) })
        }
    }
}

private fun HeadlessSink.append(
    bytes: ByteBuffer,
    offset: MediaTime = MediaTime.ZERO,
    window: TimeRange = EVERYTHING,
): List<TimeRange> {
    val result = CompletableFuture<OperationResult>()
    append(MediaKind.VIDEO, bytes, offset, window, result::complete)
    return assertIs<OperationResult.Done>(result.get(10, TimeUnit.SECONDS)).buffered
}

/** Waits for the first of the values to come that fits. */
fun <T> java.util.concurrent.BlockingQueue<T>.await(fits: (T) -> Boolean): T {
    while (true) {
        val next = poll(20, TimeUnit.SECONDS) ?: throw AssertionError("nothing more comes")
        if (fits(next)) return next
    }
}

fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).put(bytes).flip()

private fun ByteBuffer.text(at: Int, length: Int): String =
    ByteArray(length).also { duplicate().position(at).get(it) }.decodeToString()
