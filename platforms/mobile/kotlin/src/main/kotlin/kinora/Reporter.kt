package kinora

import java.nio.ByteBuffer
import java.security.SecureRandom
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledFuture
import java.util.concurrent.TimeUnit

/** What the service is told an app runs on. */
enum class ReporterPlatform(internal val word: String) {
    WEB("web"), ANDROID("android"), IOS("ios"), TV("tv"), TERMINAL("terminal"), OTHER("other"),
}

/** Where events go, and as whose. */
class ReporterOptions(
    /** `POST /v1/events` of the service. */
    val url: String,
    /** Names the profile. What could not be sent is kept under this name, and sent as no other profile. */
    val profile: String,
    /** What the service is told that this is. */
    val platform: ReporterPlatform = ReporterPlatform.ANDROID,
    /** Send what has gathered every so often. */
    val interval: Duration = Duration.ofSeconds(30),
    /** Where events wait that outlive the process; `null` keeps them in memory. */
    val storage: ReporterStorage? = null,
    /** Makes the requests. The reporter owns it, and closes it. */
    val transport: HttpTransport = JdkTransport(),
    /**
     * The access token of the profile, or `null` while there is none. Asked anew for each batch, on the
     * reporter's own thread, where it may wait for a new one.
     */
    val token: () -> String?,
)

/**
 * Tells a service what a player does and what a viewer looks at: in batches, again until the service
 * has a verdict, and also when the app is left. Nothing is told unless an app makes one of these.
 *
 * ```
 * val reporter = Reporter(ReporterOptions(url, profile.id, storage = FileStorage(folder)) { session.accessToken })
 * val watching = reporter.watch(player, ReportedPlayback(playback.playbackId, "big-buck-bunny"))
 * …
 * watching.close() // the playback is over
 * reporter.close()
 * ```
 *
 * Methods may be called from any thread and return at once, but for [close]. What is told, and when, is
 * the shared journal's: on every platform the same.
 */
class Reporter(private val options: ReporterOptions) : AutoCloseable {
    private val origin = System.nanoTime()
    private val journal = Journal(randomName(), options.platform.word, options.interval, moment())
    private val thread = Executors.newSingleThreadScheduledExecutor { task ->
        Thread(task, "kinora-reporter").apply { isDaemon = true }
    }

    // Only the reporter's thread touches these.
    private var timer: ScheduledFuture<*>? = null
    private val flushes = ArrayList<CompletableFuture<Unit>>()
    private val watched = HashSet<Watching>()
    private var keptChanges: ULong? = null
    private var sending = false
    private var closed = false

    init {
        run {
            options.storage?.let { storage ->
                storage.read(options.profile)?.let { journal.adopt(it, moment()) }
            }
        }
    }

    /**
     * Follows [player] through one playback, from before it loads; close what this returns when the
     * playback is over.
     */
    fun watch(player: KinoraPlayer, playback: ReportedPlayback): AutoCloseable {
        val watching = Watching(player, journal.watch(playback, moment()))
        run { watched.add(watching) }
        watching.begin()
        return watching
    }

    /** Tells what the viewer looks at. */
    fun tell(interaction: Interaction) {
        val at = moment()
        run { journal.tell(interaction, at) }
    }

    /** Sends what has gathered; complete once that is as far as it can be sent now. */
    fun flush(): CompletableFuture<Unit> {
        val flushed = CompletableFuture<Unit>()
        val taken = run {
            journal.flush(moment())
            flushes.add(flushed)
        }
        if (!taken) flushed.complete(Unit)
        return flushed
    }

    /**
     * Ends all of it, and waits for the service for two seconds at most: on Android, call it from a
     * worker. What has no verdict by then is in the storage, and sent by the next reporter.
     */
    override fun close() {
        val left = CompletableFuture<Unit>()
        val leaving = run {
            watched.toList().forEach(Watching::end)
            journal.leave(moment())
            flushes.add(left)
        }
        if (leaving) runCatching { left.get(LEAVING_MILLIS, TimeUnit.MILLISECONDS) }
        run {
            if (!closed) {
                closed = true
                timer?.cancel(false)
                flushes.forEach { it.complete(Unit) }
                keep()
                options.transport.close()
                journal.close()
            }
        }
        thread.shutdown()
        thread.awaitTermination(LEAVING_MILLIS, TimeUnit.MILLISECONDS)
    }

    /** Follows one player. */
    private inner class Watching(private val player: KinoraPlayer, private val id: ULong) : AutoCloseable {
        private val listener = object : KinoraPlayer.Listener {
            override fun onReady() = hear(Observation.Ready)

            override fun onPlaying() = hear(Observation.Playing)

            override fun onBuffering(seeking: Boolean) = hear(Observation.Buffering(seeking))

            override fun onQualityChanged(kind: MediaKind, from: Quality?, to: Quality, reason: String) =
                hear(Observation.QualityChanged(kind, from?.bandwidth, to.bandwidth))

            // What comes next in a queue is another playback.
            override fun onNext(url: String) = hear(Observation.Ended)

            override fun onEnded() = hear(Observation.Ended)

            override fun onError(error: PlayerError) = hear(Observation.Failed(error.code))
        }
        private var looks: ScheduledFuture<*>? = null

        fun begin() {
            player.addListener(listener)
            runCatching {
                looks = thread.scheduleWithFixedDelay(::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS)
            }
        }

        private fun hear(observation: Observation) {
            val at = moment()
            run { journal.hear(id, observation, at) }
        }

        private fun look() {
            if (closed) return
            // A player that is closed has no state.
            val state = runCatching { player.state() }.getOrNull() ?: return close()
            journal.look(id, state.status, state.position, moment())
            goOn()
        }

        override fun close() {
            player.removeListener(listener)
            looks?.cancel(false)
            run { end() }
        }

        /** On the reporter's thread. */
        fun end() {
            if (watched.remove(this)) journal.end(id, moment())
        }
    }

    /** Does something on the reporter's thread, and what follows from it; false when that is no more. */
    private fun run(action: () -> Unit): Boolean = runCatching {
        thread.execute {
            if (!closed) {
                action()
                goOn()
            }
        }
    }.isSuccess

    /** Keeps what waits, sends what is due, and plans the rest. */
    private fun goOn() {
        if (closed) return
        keep()
        if (sending) return
        timer?.cancel(false)
        val due = journal.due()
        val now = moment()
        if (due != null && due <= now.now) {
            val body = journal.batch(now)
            if (body != null) return send(body)
        }
        val later = journal.due()
        if (later == null || later > now.now) {
            flushes.forEach { it.complete(Unit) }
            flushes.clear()
        }
        if (later != null) {
            val micros = if (later > now.now) (later - now.now).toLong() else 0
            timer = thread.schedule(::goOn, micros, TimeUnit.MICROSECONDS)
        }
    }

    private fun send(body: String) {
        sending = true
        post(body).whenComplete { answer, _ ->
            run {
                sending = false
                journal.answered(answer ?: Answer.Unreachable, moment())
            }
        }
    }

    private fun post(body: String): CompletableFuture<Answer> {
        val answer = CompletableFuture<Answer>()
        val token = runCatching { options.token() }.getOrNull()
        if (token == null) {
            answer.complete(Answer.Unsent)
            return answer
        }
        val headers = listOf(Header("Content-Type", "application/json"), Header("Authorization", "Bearer $token"))
        val request = Request(
            id = 0uL,
            kind = RequestKind.License,
            url = options.url,
            range = null,
            body = BodyHandling.DELIVER,
            headers = headers,
            post = body.toByteArray(),
        )
        val exchange = options.transport.start(request, object : HttpTransport.Receiver {
            private var head: ResponseHead? = null

            override fun head(head: ResponseHead) {
                this.head = head
            }

            override fun data(bytes: ByteBuffer) = Unit

            override fun end(fromCache: Boolean) {
                answer.complete(head?.let { Answer.Status(it.status, it.retryAfter) } ?: Answer.Unreachable)
            }

            override fun failed(failure: RequestFailure) {
                answer.complete(Answer.Unreachable)
            }
        })
        val patience = thread.schedule({ answer.complete(Answer.Unreachable) }, ANSWER_SECONDS, TimeUnit.SECONDS)
        return answer.whenComplete { _, _ ->
            patience.cancel(false)
            exchange.cancel()
        }
    }

    private fun keep() {
        val storage = options.storage ?: return
        val changes = journal.changes()
        if (changes == keptChanges) return
        keptChanges = changes
        // Storage that is full: what waits is in memory alone.
        runCatching { storage.write(options.profile, journal.kept()) }
    }

    private fun moment() =
        Moment(((System.nanoTime() - origin) / 1000).toULong(), System.currentTimeMillis() * 1000)

    private companion object {
        const val LOOK_MILLIS = 250L
        const val LEAVING_MILLIS = 2000L
        const val ANSWER_SECONDS = 15L

        fun randomName(): String {
            val bytes = ByteArray(16).also(SecureRandom()::nextBytes)
            return bytes.joinToString("") { "%02x".format(it) }
        }
    }
}
