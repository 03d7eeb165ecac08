package kinora

import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionException
import java.util.concurrent.CompletionStage
import java.util.concurrent.atomic.AtomicReference

/**
 * Adds what servers want to see (header fields, credentials, query parameters, a signature) to
 * requests, and may rewrite responses. It is asked anew for each attempt, so that a token may be
 * renewed. In a coroutine, `future { }` of kotlinx-coroutines makes a stage of a suspending function.
 *
 * Where a stage fails the request has failed, and the player repeats it as it would any other; with a
 * [RequestRefused] it does not.
 */
interface RequestFilter {
    /** The request to make instead of [request]. Its id, kind and body handling are the player's. */
    fun request(request: Request): CompletionStage<Request> =
        CompletableFuture.completedFuture(request)

    /**
     * Whether responses of a kind are to be filtered. They are held back until they are whole, so it
     * is best kept to what is small.
     */
    fun filtersResponses(kind: RequestKind): Boolean = false

    /** What the player is to see instead of [response]. */
    fun response(request: Request, response: FilteredResponse): CompletionStage<FilteredResponse> =
        CompletableFuture.completedFuture(response)
}

/** A whole response. */
class FilteredResponse(val head: ResponseHead, val body: ByteArray)

/** Asking again would not help. */
class RequestRefused(message: String) : Exception(message)

/** Makes requests with [transport], after [filter] has seen them. */
class FilteringTransport(
    private val transport: HttpTransport,
    private val filter: RequestFilter,
) : HttpTransport {
    override fun start(request: Request, receiver: HttpTransport.Receiver): Cancellable {
        val exchange = Exchange()
        filtered { filter.request(request) }.whenComplete { changed, problem ->
            if (changed == null) {
                exchange.unlessCancelled { receiver.failed(failure(problem)) }
                return@whenComplete
            }
            val asked = changed.copy(id = request.id, kind = request.kind, body = request.body)
            val hears = if (filter.filtersResponses(asked.kind)) {
                WholeResponse(receiver) { filtered { filter.response(asked, it) } }
            } else {
                receiver
            }
            exchange.begin { transport.start(asked, hears) }
        }
        return exchange
    }

    override fun close() = transport.close()
}

/** A filter may throw instead of failing. */
private fun <T> filtered(block: () -> CompletionStage<T>): CompletionStage<T> =
    try {
        block()
    } catch (problem: Exception) {
        CompletableFuture.failedFuture(problem)
    }

private fun failure(problem: Throwable?): RequestFailure {
    val cause = if (problem is CompletionException) problem.cause ?: problem else problem
    val reason = "the request filter failed: ${cause?.message ?: cause}"
    return if (cause is RequestRefused) RequestFailure.Invalid(reason) else RequestFailure.Network(reason)
}

/** A request that may be called off before it has begun. */
private class Exchange : Cancellable {
    private val running = AtomicReference<Cancellable?>()

    fun begin(start: () -> Cancellable) {
        unlessCancelled {
            val begun = start()
            if (!running.compareAndSet(null, begun)) begun.cancel()
        }
    }

    fun unlessCancelled(block: () -> Unit) {
        if (running.get() == null) block()
    }

    override fun cancel() {
        running.getAndSet(CANCELLED)?.cancel()
    }

    private companion object {
        val CANCELLED = Cancellable { }
    }
}

/** Gathers a response, has it filtered and passes it on. */
private class WholeResponse(
    private val receiver: HttpTransport.Receiver,
    private val filter: (FilteredResponse) -> CompletionStage<FilteredResponse>,
) : HttpTransport.Receiver {
    private var head: ResponseHead? = null
    private val body = java.io.ByteArrayOutputStream()

    override fun head(head: ResponseHead) {
        this.head = head
    }

    override fun data(bytes: ByteBuffer) {
        body.write(ByteArray(bytes.remaining()).also { bytes.get(it) })
    }

    override fun end(fromCache: Boolean) {
        val head = head ?: return receiver.failed(RequestFailure.Network("there was no response"))
        filter(FilteredResponse(head, body.toByteArray())).whenComplete { changed, problem ->
            if (changed == null) {
                receiver.failed(failure(problem))
            } else {
                receiver.head(changed.head.copy(contentLength = changed.body.size.toULong()))
                receiver.data(ByteBuffer.wrap(changed.body))
                receiver.end(fromCache)
            }
        }
    }

    override fun failed(failure: RequestFailure) = receiver.failed(failure)
}
