package kinora

import java.nio.ByteBuffer
import java.util.EnumMap
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledFuture
import java.util.concurrent.TimeUnit

/**
 * Plays in real time without showing anything: what was appended is read as far as its times, and
 * the playhead moves through it by the clock, as a browser's would. For tests, and to measure
 * streams on machines without a screen.
 *
 * @param supports which types it claims to play; all MP4 if not said otherwise
 */
class HeadlessSink(
    private val supports: (mimeType: String) -> Boolean = ::isMp4,
) : MediaSink {
    private val clock = Executors.newSingleThreadScheduledExecutor { task ->
        Thread(task, "kinora-headless-sink").apply { isDaemon = true }
    }
    private var changed: () -> Unit = { }
    private var wake: ScheduledFuture<*>? = null

    private val buffers = EnumMap<MediaKind, Buffer>(MediaKind::class.java)
    private var open = false
    private var duration: MediaTime? = null
    private var complete = false
    private var paused = true
    private var seeking = false
    private var ended = false
    private var rate = 1.0
    private var position = MediaTime.ZERO

    /** The instant [position] belongs to; the playhead moves from there while [moving]. */
    private var since = System.nanoTime()
    private var moving = false

    /** How much media the playhead has gone through. */
    val presented: MediaTime
        @Synchronized get() {
            advance()
            return played
        }
    private var played = MediaTime.ZERO

    override fun attach(changed: () -> Unit) {
        this.changed = changed
    }

    @Synchronized
    override fun state(): ElementState {
        advance()
        return ElementState(position, rate, paused, seeking, ended, readyState(), 0uL, 0uL, null)
    }

    override fun open() = mutate {
        // What has ended is paused, but who has watched to the end watches the next.
        if (ended) paused = false
        reset()
        open = true
    }

    override fun probe(query: DecoderQuery) = checkType(query.mimeType)

    override fun addBuffer(kind: MediaKind, mimeType: String) = mutate {
        check(open, "no media source is open")
        check(kind !in buffers, "there is a $kind buffer already")
        checkType(mimeType)
        buffers[kind] = Buffer()
    }

    override fun changeType(kind: MediaKind, mimeType: String) = mutate {
        checkType(mimeType)
        buffer(kind).init = null
    }

    override fun append(
        kind: MediaKind,
        bytes: ByteBuffer,
        timestampOffset: MediaTime,
        window: TimeRange,
        done: (OperationResult) -> Unit,
    ) = mutate {
        complete = false
        buffer(kind).append(bytes, timestampOffset, window)
        done(OperationResult.Done(buffer(kind).ranges.all))
    }

    override fun remove(kind: MediaKind, range: TimeRange, done: (OperationResult) -> Unit) = mutate {
        buffer(kind).ranges.remove(range)
        done(OperationResult.Done(buffer(kind).ranges.all))
    }

    override fun setDuration(duration: MediaTime) = mutate { this.duration = duration }

    override fun endOfStream() = mutate {
        check(open, "no media source is open")
        complete = true
        buffers.values.mapNotNull { it.ranges.end }.maxOrNull()?.let { duration = it }
    }

    override fun seek(position: MediaTime) = mutate {
        this.position = position
        seeking = true
        ended = false
    }

    override fun setRate(rate: Double) = mutate { this.rate = rate }

    override fun release() = mutate(::reset)

    override fun play() = mutate {
        if (ended) {
            position = MediaTime.ZERO
            seeking = true
            ended = false
        }
        paused = false
    }

    override fun pause() = mutate { paused = true }

    override fun close() {
        clock.shutdownNow()
    }

    /** Everything that is forgotten with the media source; the viewer's wish to play is not. */
    private fun reset() {
        buffers.clear()
        open = false
        duration = null
        complete = false
        seeking = false
        ended = false
        position = MediaTime.ZERO
    }

    /** Brings the playhead up to date, changes something, and lets the playhead react to it. */
    private fun mutate(change: () -> Unit) {
        synchronized(this) {
            advance()
            change()
            react()
        }
        changed()
    }

    private fun react() {
        if (seeking && readyState() >= ReadyState.HAVE_FUTURE_DATA) seeking = false
        val end = playableEnd()
        if (complete && !seeking && !ended && position >= (duration ?: MediaTime.MAX)) {
            // As in HTML: what has ended is paused.
            ended = true
            paused = true
        }
        since = System.nanoTime()
        moving = !paused && !seeking && !ended && rate > 0 && end != null && end > position
        wake?.cancel(false)
        wake = null
        if (moving && end != null && !clock.isShutdown) {
            val nanos = ((end - position).nanos / rate).toLong()
            wake = clock.schedule({ mutate { } }, nanos, TimeUnit.NANOSECONDS)
        }
    }

    /** Moves the playhead to where it is by now, but not out of what is buffered. */
    private fun advance() {
        if (!moving) return
        val now = System.nanoTime()
        val target = position + MediaTime.ofNanos(((now - since) * rate).toLong())
        val reached = minOf(target, playableEnd() ?: position)
        played += reached - position
        position = reached
        since = now
    }

    /** Where the media around the playhead ends that every buffer holds; null outside of any. */
    private fun playableEnd(): MediaTime? {
        if (buffers.isEmpty()) return null
        return buffers.values.map { buffer ->
            val end = buffer.ranges.endAround(position) ?: return null
            // After the end of the stream a shorter track does not hold up a longer one.
            if (complete && end == buffer.ranges.end) maxOf(end, duration ?: end) else end
        }.min()
    }

    private fun readyState(): ReadyState {
        if (buffers.isEmpty() || buffers.values.any { !it.described }) return ReadyState.HAVE_NOTHING
        val end = playableEnd() ?: return ReadyState.HAVE_METADATA
        return when {
            complete && end >= (duration ?: MediaTime.MAX) -> ReadyState.HAVE_ENOUGH_DATA
            end - position >= ENOUGH -> ReadyState.HAVE_ENOUGH_DATA
            end > position -> ReadyState.HAVE_FUTURE_DATA
            else -> ReadyState.HAVE_CURRENT_DATA
        }
    }

    private fun buffer(kind: MediaKind): Buffer =
        buffers[kind] ?: throw MediaSinkException(MediaFailure.InvalidState("there is no $kind buffer"))

    private fun check(condition: Boolean, otherwise: String) {
        if (!condition) throw MediaSinkException(MediaFailure.InvalidState(otherwise))
    }

    private fun checkType(mimeType: String) {
        if (!supports(mimeType)) {
            throw MediaSinkException(MediaFailure.NotSupported("this sink does not play $mimeType"))
        }
    }

    private class Buffer {
        val ranges = Ranges()
        var init: ByteBuffer? = null

        /** An initialisation segment has said what is in it. */
        var described = false

        fun append(bytes: ByteBuffer, timestampOffset: MediaTime, window: TimeRange) {
            val range = try {
                mediaRange(init ?: NOTHING, bytes)
            } catch (problem: SdkException.InvalidMedia) {
                throw MediaSinkException(MediaFailure.Decode(problem.reason))
            }
            if (range == null) {
                init = ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate()).flip()
                described = true
                return
            }
            val start = maxOf(range.start + timestampOffset, window.start)
            val end = minOf(range.end + timestampOffset, window.end)
            if (start < end) ranges.add(TimeRange(start, end))
        }
    }

    private companion object {
        val NOTHING: ByteBuffer = ByteBuffer.allocateDirect(0)
        val ENOUGH = MediaTime.ofSeconds(1.0)
    }
}

private fun isMp4(mimeType: String): Boolean =
    mimeType.startsWith("video/mp4") || mimeType.startsWith("audio/mp4")
