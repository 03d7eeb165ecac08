package kinora

import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Values keep their meaning across the border. */
fun Tests.valueTests() {
    test("media times convert exactly and saturate") {
        assertEquals(MediaTime(705_600_000), MediaTime.ofSeconds(1.0))
        assertEquals(MediaTime.ofSeconds(0.1), MediaTime.ofNanos(100_000_000))
        assertEquals(1_500_000_000, MediaTime.ofSeconds(1.5).nanos)
        assertEquals(MediaTime.ZERO, MediaTime.ofSeconds(Double.NaN))
        assertEquals(MediaTime.MAX, MediaTime.MAX + MediaTime.ofSeconds(1.0))
        assertEquals(MediaTime.MIN, MediaTime.MIN - MediaTime.ofSeconds(1.0))
        assertEquals(Long.MAX_VALUE, MediaTime.MAX.nanos)
        assertEquals("12.345 s", MediaTime.ofSeconds(12.345).toString())
    }

    test("ranges merge, split and are found") {
        fun range(start: Double, end: Double) = TimeRange(MediaTime.ofSeconds(start), MediaTime.ofSeconds(end))
        val ranges = Ranges()
        ranges.add(range(4.0, 6.0))
        ranges.add(range(0.0, 2.0))
        assertEquals(listOf(range(0.0, 2.0), range(4.0, 6.0)), ranges.all)
        ranges.add(range(2.02, 3.99))
        assertEquals(listOf(range(0.0, 6.0)), ranges.all)
        ranges.remove(range(1.0, 2.0))
        assertEquals(listOf(range(0.0, 1.0), range(2.0, 6.0)), ranges.all)
        assertEquals(MediaTime.ofSeconds(6.0), ranges.endAround(MediaTime.ofSeconds(3.0)))
        assertNull(ranges.endAround(MediaTime.ofSeconds(1.5)))
    }

    test("the subtitles of a time are those that have begun and not ended, in the order they are said") {
        fun cue(start: Double, end: Double, text: String) =
            Cue("", TimeRange(MediaTime.ofSeconds(start), MediaTime.ofSeconds(end)), "", text)
        val subtitles = Subtitles()
        fun at(seconds: Double) = subtitles.at(MediaTime.ofSeconds(seconds)).map { it.text }
        subtitles.onCues(listOf(cue(4.0, 6.0, "later"), cue(5.0, 9.0, "beside it")))
        subtitles.onCues(listOf(cue(1.0, 5.5, "<i>first</i>"), cue(5.0, 5.2, "last")))
        assertEquals(emptyList(), at(0.9))
        assertEquals(listOf("<i>first</i>"), at(1.0))
        assertEquals(listOf("<i>first</i>", "later", "beside it", "last"), at(5.0))
        assertEquals(listOf("beside it"), at(6.0))
        subtitles.onCuesCleared()
        assertEquals(emptyList(), at(5.0))
    }

    test("a subtitle without its tags is what is read") {
        assertEquals(
            "– Who?\n– Tom & Jerry <3",
            plainText("– <v Mary Ann><i.loud>Who</i>?</v>\n– <c>Tom &amp; Jerry</c> <00:01.000>&lt;3"),
        )
        assertEquals("a & b &unknown; &amp;", plainText("a & b &unknown; &amp;amp;"))
        assertEquals("cut", plainText("cut<i"))
    }

    test("key ids become a pssh box") {
        val ids = keyIdsOf("{\"kids\":[\"AAAAAAAAAAAAAAAAAAAAAA\",\"_____________________w\"]}".toByteArray())
        assertEquals(listOf(16, 16), ids.map { it.size })
        val box = psshOf(ids).joinToString("") { "%02x".format(it) }
        val system = "1077efecc0b24d02ace33c1e52e2fb4b"
        val keys = "00".repeat(16) + "ff".repeat(16)
        assertEquals("000000447073736801000000${system}00000002${keys}00000000", box)
        assertTrue(keyIdsOf("{}".toByteArray()).isEmpty())
    }

    test("the default configuration is the core's") {
        val config = defaultConfig()
        assertEquals(30, config.buffer.forward.seconds)
        assertEquals(false, config.record)
        assertNull(config.abr.rule)
    }

    test("an idle player has a state, nothing to do and no log") {
        Player(defaultConfig(), 0uL).use { player ->
            assertEquals(listOf<Output>(Output.Timeout(null)), player.pollOutputs())
            assertEquals(PlaybackStatus.IDLE, player.state().status)
            assertEquals(0, player.sessionLog().size)
        }
    }

    test("a batch of inputs gives all outputs and one timeout, the last") {
        Player(defaultConfig(), 0uL).use { player ->
            val load = Input.Load(Source("https://cdn.example/master.m3u8", null, null))
            player.handleInputs(listOf(TimedInput(5uL, load), TimedInput(9uL, load)))
            val outputs = player.pollOutputs()
            val requests = outputs.filterIsInstance<Output.Request>().map { it.request }
            assertEquals(listOf(RequestKind.Manifest, RequestKind.Manifest), requests.map { it.kind })
            assertTrue(Output.Cancel(requests[0].id) in outputs, "the first load's request is called off")
            assertEquals(listOf(outputs.lastIndex), outputs.indices.filter { outputs[it] is Output.Timeout })
            assertNotNull((outputs.last() as Output.Timeout).at)
            assertEquals(listOf(requests[1].id), player.state().requests.map { it.id })
        }
    }

    test("garbage is no session log") {
        val problem = assertFailsWith<SdkException.InvalidLog> { replay(ByteArray(64) { 7 }) }
        assertTrue("session log" in problem.reason, problem.reason)
        assertFailsWith<SdkException.InvalidLog> { replayToBytes(ByteArray(0)) }
    }

    test("a log that breaks off is refused") {
        Player(defaultConfig().copy(record = true), 0uL).use { player ->
            player.handleInput(1uL, Input.Load(Source("https://cdn.example/a.mpd", null, null)))
            val log = player.sessionLog()
            assertTrue(replay(log).isNotEmpty())
            assertContentEquals(replayToBytes(log), replayToBytes(log))
            assertFailsWith<SdkException.InvalidLog> { replay(log.copyOf(log.size - 1)) }
        }
    }
}
