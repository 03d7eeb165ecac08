package kinora

import java.nio.ByteBuffer

/**
 * Makes the player's HTTP requests. [JdkTransport] does it with the JDK's own client; an app that
 * has an HTTP stack of its own (Android has no `java.net.http`) implements this over that.
 *
 * A transport carries requests out and judges nothing: statuses such as 404 are heads like any
 * other, and repeating what failed is the player's business alone.
 */
interface HttpTransport : AutoCloseable {
    /**
     * Starts a GET of [Request.url] with [Request.headers] and, where [Request.range] is set, the
     * `Range` that [rangeHeader] makes of it. Returns at once; never throws for what the request
     * asks, but reports [RequestFailure.Invalid].
     */
    fun start(request: Request, receiver: Receiver): Cancellable

    /** Gives back what the transport holds. The player calls it once, after the last request. */
    override fun close() = Unit

    /**
     * Hears of one response, from any thread but one call at a time: [head], then [data] any number
     * of times, then [end]; or [failed] at any point. After either of the last two, nothing more.
     */
    interface Receiver {
        /** Status and header fields are there. */
        fun head(head: ResponseHead)

        /** The next bytes of the body; they are copied before this returns. */
        fun data(bytes: ByteBuffer)

        /** The body is complete; [fromCache] if it is known that it did not cross the network. */
        fun end(fromCache: Boolean)

        /** There is no response, or no more of it. */
        fun failed(failure: RequestFailure)
    }
}

/** Something that can be called off. */
fun interface Cancellable {
    /** Calls it off; nothing happens if it is over. */
    fun cancel()
}

/** The value of the `Range` header field (RFC 9110 §14.2). */
fun ByteRange.rangeHeader(): String {
    val length = length ?: return "bytes=$start-"
    return "bytes=$start-${start + length - 1u}"
}
