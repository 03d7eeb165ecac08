package kinora

import java.nio.ByteBuffer

/**
 * Plays media: buffers and a media element in the terms of Media Source Extensions. Android apps
 * write one over MediaCodec or ExoPlayer; [HeadlessSink] plays in real time without showing
 * anything.
 *
 * All calls come from the player's thread, except [play], [pause] and [state], which come from any.
 * What cannot be done is answered with a [MediaSinkException], or, by [append] and [remove], with
 * [OperationResult.Failed].
 */
interface MediaSink : AutoCloseable {
    /**
     * Called once, before everything else. [changed] is to be called, from any thread, whenever a
     * field of [state] has changed other than by the playhead moving on: it started, ran dry, ended.
     */
    fun attach(changed: () -> Unit)

    /** The state of the element now. */
    fun state(): ElementState

    /** Starts with an empty media source, dropping whatever was there. */
    fun open()

    /**
     * Throws a [MediaSinkException] with [MediaFailure.NotSupported] where the platform does not decode
     * this, or not fluently (`MediaCodecList`); says nothing where it does, or where nobody knows.
     */
    fun probe(query: DecoderQuery) = Unit

    /** `addSourceBuffer`. */
    fun addBuffer(kind: MediaKind, mimeType: String)

    /** `changeType`. */
    fun changeType(kind: MediaKind, mimeType: String)

    /**
     * `appendBuffer`: an initialisation segment or a media segment, in a direct buffer that is the
     * sink's until [done] is called. [done] gets [OperationResult.Done] with what the buffer now
     * holds.
     */
    fun append(
        kind: MediaKind,
        bytes: ByteBuffer,
        timestampOffset: MediaTime,
        window: TimeRange,
        done: (OperationResult) -> Unit,
    )

    /** `remove`. [done] gets [OperationResult.Done] with what the buffer then holds. */
    fun remove(kind: MediaKind, range: TimeRange, done: (OperationResult) -> Unit)

    /** Sets the media source's duration. */
    fun setDuration(duration: MediaTime)

    /** `setLiveSeekableRange`: where the viewer may go while the duration is without end. */
    fun setLiveSeekableRange(range: TimeRange) = Unit

    /** `endOfStream`: every buffer holds its last segment. */
    fun endOfStream()

    /** Sets `currentTime`. */
    fun seek(position: MediaTime)

    /** Sets `playbackRate`. */
    fun setRate(rate: Double)

    /** Detaches the media source; [open] may come again. */
    fun release()

    /** Starts playing as soon as there is enough to play. */
    fun play()

    /** Stops where the playhead is. */
    fun pause()
}

/** A sink could not do what it was asked to do. */
class MediaSinkException(val failure: MediaFailure) : Exception(failure.toString())
