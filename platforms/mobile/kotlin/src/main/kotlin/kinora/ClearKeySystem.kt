package kinora

import java.nio.ByteBuffer
import java.util.EnumMap

/**
 * ClearKey, with the decryption that goes with it, on every platform: for development, for tests, and for what needs no
 * more than light protection. It is a key exchange, not a DRM: whoever controls the process has the keys.
 *
 * ```
 * val keys = ClearKeySystem()
 * val player = KinoraPlayer(keys.decrypting(sink), config, keySystem = keys)
 * ```
 *
 * An object belongs to one player. [close] it after the player: the keys are wiped then, if they were not before.
 */
class ClearKeySystem : KeySystem, AutoCloseable {
    private val clearKey = ClearKey()

    override fun execute(command: LicenseCommand, answer: (Input) -> Unit) {
        clearKey.execute(command).forEach(answer)
    }

    /** A sink that plays what is encrypted with these keys on [sink], which sees clear media alone. */
    fun decrypting(sink: MediaSink): MediaSink = DecryptingSink(sink, clearKey)

    override fun close() = clearKey.close()
}

/** Decrypts what is appended. */
private class DecryptingSink(
    private val sink: MediaSink,
    private val clearKey: ClearKey,
) : MediaSink by sink {
    /** The initialisation segments, as they came. */
    private val inits = EnumMap<MediaKind, ByteBuffer>(MediaKind::class.java)

    override fun append(
        kind: MediaKind,
        bytes: ByteBuffer,
        timestampOffset: MediaTime,
        window: TimeRange,
        done: (OperationResult) -> Unit,
    ) {
        val clear = try {
            opened(kind, bytes)
        } catch (problem: SdkException.InvalidMedia) {
            throw MediaSinkException(MediaFailure.Decode(problem.reason))
        }
        sink.append(kind, clear, timestampOffset, window, done)
    }

    private fun opened(kind: MediaKind, bytes: ByteBuffer): ByteBuffer {
        if (isInitialization(bytes)) {
            val opened = clearKey.openInit(bytes)
            // What is clear is not looked at any further.
            if (opened == null) inits.remove(kind) else inits[kind] = direct(bytes)
            return opened?.let(::direct) ?: bytes
        }
        val init = inits[kind] ?: return bytes
        return direct(clearKey.openSegment(init, bytes))
    }
}

private fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).put(bytes).flip()

private fun direct(bytes: ByteBuffer): ByteBuffer =
    ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate()).flip()
