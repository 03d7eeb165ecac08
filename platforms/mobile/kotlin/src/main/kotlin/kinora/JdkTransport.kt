package kinora

import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.net.http.HttpResponse.BodyHandlers
import java.nio.ByteBuffer
import java.util.concurrent.CompletionException
import java.util.concurrent.Flow

/** Makes requests with the JDK's HTTP client: HTTP/1.1 and HTTP/2, connections kept and shared. */
class JdkTransport(private val client: HttpClient = defaultClient()) : HttpTransport {
    override fun start(request: Request, receiver: HttpTransport.Receiver): Cancellable {
        val message = try {
            request.toHttpRequest()
        } catch (problem: IllegalArgumentException) {
            receiver.failed(RequestFailure.Invalid(problem.message ?: "the URL is not valid"))
            return Cancellable { }
        }
        val body = BodyReader(receiver)
        // The response is complete with its head; its body is published as it arrives.
        val response = client.sendAsync(message, BodyHandlers.ofPublisher())
        response.whenComplete { head, problem ->
            if (head == null) {
                receiver.failed(RequestFailure.Network(describe(problem)))
            } else {
                receiver.head(head.toResponseHead())
                head.body().subscribe(body)
            }
        }
        return Cancellable {
            body.cancel()
            response.cancel(true)
        }
    }

    companion object {
        /** Follows redirects, except from https to http. How long to wait is the player's decision. */
        fun defaultClient(): HttpClient =
            HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build()
    }
}

private fun Request.toHttpRequest(): HttpRequest {
    val uri = URI.create(url)
    val body = post?.let { HttpRequest.BodyPublishers.ofByteArray(it) }
    val message = HttpRequest.newBuilder(uri).apply { if (body != null) POST(body) else GET() }
    // Without TLS the client would ask every server for an upgrade to HTTP/2, which few offer.
    if (uri.scheme.equals("http", ignoreCase = true)) message.version(HttpClient.Version.HTTP_1_1)
    headers.forEach { message.setHeader(it.name, it.value) }
    range?.let { message.setHeader("Range", it.rangeHeader()) }
    return message.build()
}

private fun HttpResponse<*>.toResponseHead() = ResponseHead(
    status = statusCode().toUShort(),
    url = uri().toString(),
    contentType = headers().firstValue("Content-Type").orElse(null),
    contentLength = headers().firstValue("Content-Length").orElse(null)?.toULongOrNull(),
    retryAfter = headers().firstValue("Retry-After").orElse(null),
    date = headers().firstValue("Date").orElse(null),
    cmsdDynamic = headers().firstValue("CMSD-Dynamic").orElse(null),
    cmsdStatic = headers().firstValue("CMSD-Static").orElse(null),
    smrtData = headers().firstValue("SMRT-Data").orElse(null),
)

/** Passes a body on, one batch of buffers after another. */
private class BodyReader(private val receiver: HttpTransport.Receiver) :
    Flow.Subscriber<List<ByteBuffer>> {
    private var subscription: Flow.Subscription? = null
    private var cancelled = false

    override fun onSubscribe(subscription: Flow.Subscription) {
        val wanted = synchronized(this) {
            this.subscription = subscription
            !cancelled
        }
        if (wanted) subscription.request(1) else subscription.cancel()
    }

    override fun onNext(buffers: List<ByteBuffer>) {
        try {
            buffers.forEach(receiver::data)
        } catch (problem: Throwable) {
            // Most likely there is no memory for a body so large; the client would swallow it.
            cancel()
            receiver.failed(RequestFailure.Interrupted(describe(problem)))
            return
        }
        subscription?.request(1)
    }

    override fun onError(problem: Throwable) =
        receiver.failed(RequestFailure.Interrupted(describe(problem)))

    override fun onComplete() = receiver.end(fromCache = false)

    fun cancel() {
        val running = synchronized(this) {
            cancelled = true
            subscription
        }
        running?.cancel()
    }
}

private fun describe(problem: Throwable?): String {
    val cause = if (problem is CompletionException) problem.cause ?: problem else problem
    return when (cause) {
        null -> "no reason given"
        // Many of the JDK's exceptions say everything by their class, such as ConnectException.
        else -> listOfNotNull(cause.javaClass.simpleName, cause.message).joinToString(": ")
    }
}
