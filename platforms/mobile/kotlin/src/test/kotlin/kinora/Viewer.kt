package kinora

import java.util.concurrent.LinkedBlockingQueue

/** Something a player told its listener. */
sealed interface Told {
    data class Loaded(val duration: MediaTime?, val tracks: List<TrackInfo>) : Told

    data object Ready : Told

    data object Playing : Told

    data class Buffering(val seeking: Boolean) : Told

    data class QualityChanged(val kind: MediaKind, val from: Quality?, val to: Quality) : Told

    data class Decided(val decision: Decision) : Told

    data class Said(val cues: List<Cue>) : Told

    data object Unsaid : Told

    data object Ended : Told

    data class Warned(val warning: Warning) : Told

    data class Failed(val error: PlayerError) : Told
}

/** A player with a headless sink, and everything it said. */
class Viewer(
    config: Config = defaultConfig(),
    transport: HttpTransport = JdkTransport(),
    filter: RequestFilter? = null,
    keySystem: KeySystem? = null,
    through: (MediaSink) -> MediaSink = { it },
) : AutoCloseable {
    val sink = HeadlessSink()
    val player = KinoraPlayer(through(sink), config, transport, filter, keySystem)

    private val asked = java.util.Collections.synchronizedList(ArrayList<Output>())
    private val unheard = LinkedBlockingQueue<Told>()
    private val all = java.util.Collections.synchronizedList(ArrayList<Told>())

    init {
        player.tap = asked::add
        player.addListener(object : KinoraPlayer.Listener {
            override fun onLoaded(duration: MediaTime?, live: Boolean, tracks: List<TrackInfo>) =
                hear(Told.Loaded(duration, tracks))

            override fun onReady() = hear(Told.Ready)

            override fun onPlaying() = hear(Told.Playing)

            override fun onBuffering(seeking: Boolean) = hear(Told.Buffering(seeking))

            override fun onQualityChanged(kind: MediaKind, from: Quality?, to: Quality, reason: String) =
                hear(Told.QualityChanged(kind, from, to))

            override fun onDecision(decision: Decision) = hear(Told.Decided(decision))

            override fun onCues(cues: List<Cue>) = hear(Told.Said(cues))

            override fun onCuesCleared() = hear(Told.Unsaid)

            override fun onEnded() = hear(Told.Ended)

            override fun onWarning(warning: Warning) = hear(Told.Warned(warning))

            override fun onError(error: PlayerError) = hear(Told.Failed(error))
        })
    }

    private fun hear(told: Told) {
        all.add(told)
        unheard.put(told)
    }

    /** Waits for the next thing of a kind to be said, and fails if playback does first. */
    inline fun <reified T : Told> hears(): T = heard { it is T } as T

    /** Waits for the next thing said that fits. */
    fun heard(fits: (Told) -> Boolean): Told = unheard.await { told ->
        fits(told).also { wanted ->
            if (!wanted && told is Told.Failed) throw AssertionError("playback failed: ${told.error}")
        }
    }

    /** Everything of a kind that was said so far. */
    inline fun <reified T : Told> told(): List<T> = everything().filterIsInstance<T>()

    fun everything(): List<Told> = synchronized(all) { all.toList() }

    /** Everything the core asked of the driver so far, in order; it goes on asking on a thread of its own. */
    fun outputs(): List<Output> = synchronized(asked) { asked.toList() }

    /** The URLs of the segments asked for, in order. */
    fun segments(kind: MediaKind): List<String> =
        outputs().filterIsInstance<Output.Request>().map { it.request }
            .filter { it.kind == RequestKind.Segment(kind) }.map { it.url }

    /** The choices made: kind, start and quality of each segment, in order. */
    fun choices(): List<Triple<MediaKind, MediaTime, String>> =
        told<Told.Decided>().map { it.decision }.map { Triple(it.kind, it.segmentStart, it.quality.id) }

    override fun close() = player.close()
}
