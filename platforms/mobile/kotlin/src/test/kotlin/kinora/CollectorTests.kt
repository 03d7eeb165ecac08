package kinora

import java.nio.ByteBuffer
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertTrue

/** What the player hears of a response, by who keeps the body. */
fun Tests.collectorTests() {
    test("a kept body stays here: the player hears its head and how far it has come") {
        val segment = Clip.read(Clip.segments(Clip.video).first())
        val heard = collect(BodyHandling.KEEP, segment.chunks(1000))
        val heads = heard.inputs.filterIsInstance<Input.BodyHead>()
        val length = boxesBeforeMdat(segment)!!.toInt()
        assertContentEquals(segment.bytes().copyOf(length), heads.single().data)
        assertContentEquals(segment.bytes(), heard.kept!!.bytes())
        assertEquals(Input.BodyEnd(1uL, segment.remaining().toULong(), false), heard.inputs.last())
        assertTrue(heard.inputs.none { it is Input.Body })
        // A chunk every 10 ms: the first, and then no more than every 50 ms.
        val progress = heard.inputs.filterIsInstance<Input.BodyProgress>().map { it.received }
        assertEquals(listOf(1000uL, 6000uL, 11_000uL), progress.take(3))
    }

    test("a kept body without mdat has an empty head, sent before its end") {
        val heard = collect(BodyHandling.KEEP, List(300) { ByteBuffer.wrap("<html>".toByteArray()) })
        val head = heard.inputs.indexOfFirst { it is Input.BodyHead }
        assertEquals(0, (heard.inputs[head] as Input.BodyHead).data.size)
        assertEquals(heard.inputs.lastIndex - 1, head)
        assertEquals(1800, heard.kept!!.remaining())
    }

    test("a delivered body goes to the player, every byte of it") {
        val heard = collect(BodyHandling.DELIVER, direct("#EXTM3U\n#EXT-X-ENDLIST\n".toByteArray()).chunks(5))
        val bodies = heard.inputs.filterIsInstance<Input.Body>()
        assertEquals("#EXTM3U\n#EXT-X-ENDLIST\n", bodies.joinToString("") { it.data.decodeToString() })
        assertEquals(Input.BodyEnd(1uL, 23uL, false), heard.inputs.last())
        assertEquals(null, heard.kept)
    }

    test("a failure is passed on") {
        val inputs = ArrayList<Input>()
        val collector = ResponseCollector(request("http://a/"), { 0uL }, inputs::add, { })
        collector.failed(RequestFailure.Network("no route"))
        assertEquals("no route", assertIs<RequestFailure.Network>(assertIs<Input.RequestFailed>(inputs.single()).failure).reason)
    }
}

private class Collected(val inputs: List<Input>, val kept: ByteBuffer?)

private fun collect(handling: BodyHandling, chunks: List<ByteBuffer>): Collected {
    val inputs = ArrayList<Input>()
    var kept: ByteBuffer? = null
    var now = 0uL
    val collector = ResponseCollector(request("http://a/", body = handling), { now }, inputs::add, { kept = it })
    // A server may announce any length; that must not reserve memory.
    collector.head(ResponseHead(200u, "http://a/", null, ULong.MAX_VALUE, null, null, null, null, null))
    for (chunk in chunks) {
        collector.data(chunk)
        now += 10_000uL
    }
    collector.end(fromCache = false)
    return Collected(inputs, kept)
}

private fun ByteBuffer.chunks(size: Int): List<ByteBuffer> =
    (0 until remaining() step size).map { slice(it, minOf(size, remaining() - it)) }

private fun ByteBuffer.bytes(): ByteArray = ByteArray(remaining()).also { duplicate().get(it) }
