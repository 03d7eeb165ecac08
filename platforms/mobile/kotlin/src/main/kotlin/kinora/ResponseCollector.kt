package kinora

import java.nio.ByteBuffer

/** The player wants to hear of a body's progress at the first byte and then no oftener than this. */
private const val PROGRESS_INTERVAL_US = 50_000uL

/** Boxes before `mdat` that are larger than this are no head of a segment. */
private const val LARGEST_HEAD = 4 shl 20

/**
 * Turns one response into what the player wants to hear of it: the bytes themselves, or, where the
 * host keeps the body, the boxes at its start and how far it has come.
 *
 * @param now the instant, on the player's clock
 * @param send hands an input to the player
 * @param keep takes the body as far as it has come, just before the player hears how far
 * @param keepChunk takes a chunk of a body and where it begins, just before the player hears of it
 */
internal class ResponseCollector(
    private val request: Request,
    private val now: () -> ULong,
    private val send: (Input) -> Unit,
    private val keep: (ByteBuffer) -> Unit,
    private val keepChunk: (ULong, ByteBuffer) -> Unit = { _, _ -> },
) : HttpTransport.Receiver {
    private var received = 0uL
    private val kept = if (request.body == BodyHandling.DELIVER) null else KeptBody()
    private val inChunks = request.body == BodyHandling.KEEP_CHUNKS

    /** Where the chunk that is arriving begins, and when its first byte came. */
    private var chunkStart = 0
    private var chunkBegan: ULong? = null
    private var headSent = false
    private var searchFrom = 0
    private var reportedAt: ULong? = null

    override fun head(head: ResponseHead) {
        kept?.expect(head.contentLength)
        send(Input.ResponseHead(request.id, head))
    }

    override fun data(bytes: ByteBuffer) {
        received += bytes.remaining().toULong()
        if (kept == null) {
            send(Input.Body(request.id, ByteArray(bytes.remaining()).also { bytes.get(it) }))
            return
        }
        kept.append(bytes)
        val at = now()
        if (reportedAt.let { it == null || at - it >= PROGRESS_INTERVAL_US }) {
            reportedAt = at
            if (!inChunks) keep(kept.view())
            send(Input.BodyProgress(request.id, received))
        }
        if (inChunks) sendChunks(kept, at, last = false) else sendHead(kept)
    }

    override fun end(fromCache: Boolean) {
        if (kept != null && inChunks) {
            sendChunks(kept, now(), last = true)
        } else if (kept != null) {
            if (!headSent) send(Input.BodyHead(request.id, ByteArray(0)))
            keep(kept.view())
        }
        send(Input.BodyEnd(request.id, received, fromCache))
    }

    override fun failed(failure: RequestFailure) = send(Input.RequestFailed(request.id, failure))

    private fun sendChunks(kept: KeptBody, at: ULong, last: Boolean) {
        while (kept.size > chunkStart) {
            val began = chunkBegan ?: at.also { chunkBegan = it }
            if (kept.size < searchFrom) return
            val rest = kept.view().position(chunkStart).slice()
            val layout = chunkLayout(rest)
            if (layout == null) {
                // What never begins a chunk must not be searched anew with every piece of it.
                searchFrom = kept.size + rest.remaining() / 8
                return
            }
            val length = layout.length?.toLong() ?: if (last) rest.remaining().toLong() else return
            if (length > rest.remaining()) {
                searchFrom = (chunkStart + length).coerceAtMost(Int.MAX_VALUE.toLong()).toInt()
                return
            }
            val chunk = ByteBuffer.allocateDirect(length.toInt()).put(rest.limit(length.toInt())).flip()
            val head = ByteArray(layout.head.toInt()).also { chunk.duplicate().get(it) }
            val start = chunkStart.toULong()
            chunkStart += length.toInt()
            chunkBegan = null
            searchFrom = 0
            keepChunk(start, chunk)
            send(Input.BodyChunk(request.id, head, start, chunkStart.toULong(), began))
        }
    }

    private fun sendHead(kept: KeptBody) {
        // A body that never has a head must not be searched anew with every chunk of it.
        if (headSent || kept.size < searchFrom || kept.size > LARGEST_HEAD) return
        val length = boxesBeforeMdat(kept.view())?.toInt()
        if (length == null) {
            searchFrom = kept.size + kept.size / 8
            return
        }
        headSent = true
        send(Input.BodyHead(request.id, ByteArray(length).also { kept.view().get(it) }))
    }
}

/** A body as it arrives, in memory that native code can read where it lies. */
private class KeptBody {
    private var buffer = ByteBuffer.allocateDirect(64 shl 10)

    val size: Int get() = buffer.position()

    /** Makes room for what the server announced, within reason: it may announce anything. */
    fun expect(length: ULong?) {
        if (length != null && length <= LARGEST_ANNOUNCED.toULong()) reserve(length.toInt())
    }

    fun append(bytes: ByteBuffer) {
        if (bytes.remaining() > buffer.remaining()) {
            val wanted = maxOf(size.toLong() + bytes.remaining(), buffer.capacity() * 2L)
            reserve(wanted.coerceAtMost(Int.MAX_VALUE.toLong()).toInt())
        }
        buffer.put(bytes)
    }

    /** What has arrived so far, from its start. */
    fun view(): ByteBuffer = buffer.duplicate().flip()

    private fun reserve(capacity: Int) {
        if (capacity <= buffer.capacity()) return
        buffer = ByteBuffer.allocateDirect(capacity).put(view())
    }

    private companion object {
        const val LARGEST_ANNOUNCED = 16 shl 20
    }
}
