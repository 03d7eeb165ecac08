package kinora

import java.nio.ByteBuffer
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong

/**
 * An adaptive streaming player: the shared core decides, the transport fetches what the filter has
 * seen, [sink] plays.
 *
 * ```
 * KinoraPlayer(HeadlessSink()).use { player ->
 *     player.addListener(object : KinoraPlayer.Listener {
 *         override fun onEnded() = println("the end")
 *     })
 *     player.load("https://example.com/film/main.m3u8").join()   // the first frame can play
 *     player.play()
 * }
 * ```
 *
 * Methods may be called from any thread and return at once. The player has one thread of its own,
 * on which it also calls its listeners. It owns its sink and its transport, and closes both.
 */
class KinoraPlayer(
    private val sink: MediaSink,
    config: Config = defaultConfig(),
    transport: HttpTransport = JdkTransport(),
    filter: RequestFilter? = null,
    private val keySystem: KeySystem? = null,
) : AutoCloseable {
    /** Hears what happens, on the player's thread. */
    interface Listener {
        /** The manifest is understood: what there is to play. */
        fun onLoaded(duration: MediaTime?, live: Boolean, tracks: List<TrackInfo>) = Unit

        /** The first frame can play. */
        fun onReady() = Unit

        /** The playhead moves. */
        fun onPlaying() = Unit

        /** The playhead waits for data, because of a seek or because playback ran dry. */
        fun onBuffering(seeking: Boolean) = Unit

        /** The viewer now sees or hears another quality. */
        fun onQualityChanged(kind: MediaKind, from: Quality?, to: Quality, reason: String) = Unit

        /** A segment was chosen for download. */
        fun onDecision(decision: Decision) = Unit

        /**
         * A CDN, pathway or host failed, and is not asked for [penalty] while others have the same.
         */
        fun onOriginFailed(origin: String, error: PlayerError, penalty: Duration) = Unit

        /** An origin that had failed delivers again. */
        fun onOriginRecovered(origin: String) = Unit

        /** Live: where the viewer may go has changed by more than the clock's going on explains. */
        fun onSeekableChanged(range: TimeRange) = Unit

        /** Live: how playback stands to the latency aimed for has changed. */
        fun onLatencyChanged(standing: LatencyStanding, latency: MediaTime, target: MediaTime) = Unit

        /** The presentation will not grow any more. */
        fun onLiveEnded(duration: MediaTime?) = Unit

        /** Media comes from another CDN, pathway or host now. */
        fun onPathwayChanged(from: String?, to: String) = Unit

        /** What played has ended, and the next item of the queue begins. */
        fun onNext(url: String) = Unit

        /**
         * Words of the text track that was chosen have come, each once; those told of before hold on.
         * [Subtitles] knows which of them are to be shown at a time.
         */
        fun onCues(cues: List<Cue>) = Unit

        /** Another text track was chosen, none, or another film: no cue told of before holds any more. */
        fun onCuesCleared() = Unit

        /** The playhead has reached the end. */
        fun onEnded() = Unit

        /** Something went wrong and the player went on. */
        fun onWarning(warning: Warning) = Unit

        /**
         * Playback cannot go on. Another [load] may follow, except after [ErrorCode.INTERNAL]: a
         * fault of the SDK, the sink, the transport or a listener, after which the player has
         * closed itself.
         */
        fun onError(error: PlayerError) = Unit
    }

    private val transport = if (filter == null) transport else FilteringTransport(transport, filter)
    private val origin = System.nanoTime()
    private val core = Player(config, 0uL)
    private val inbox = LinkedBlockingQueue<Message>()
    private val listeners = CopyOnWriteArrayList<Listener>()
    private val thread = Thread(::run, "kinora-player").apply { isDaemon = true }

    // Only the player's thread touches these.
    private val exchanges = HashMap<RequestId, Cancellable>()
    private val keptBodies = HashMap<RequestId, ByteBuffer>()
    private val keptChunks = HashMap<RequestId, HashMap<ULong, ByteBuffer>>()
    private var wakeAt: Timestamp? = null
    private var reportElementAt: Long? = null

    /** Sees every output in order; tests compare them with a replay. */
    @Volatile internal var tap: ((Output) -> Unit)? = null

    private var loading: CompletableFuture<Unit>? = null

    private val pictureNumber = AtomicLong()
    private val pictures = ConcurrentHashMap<ULong, CompletableFuture<Picture?>>()

    private val lock = Any()
    private var closed = false

    init {
        sink.attach { post(Message.ElementChanged) }
        thread.start()
    }

    /** Adds a listener; it hears what happens from now on. */
    fun addListener(listener: Listener) {
        listeners.add(listener)
    }

    /** Removes a listener. */
    fun removeListener(listener: Listener) {
        listeners.remove(listener)
    }

    /**
     * Plays [url], an HLS playlist or a DASH MPD, instead of whatever was playing, from [start].
     * The future is complete when the first frame can play, and fails with a [PlaybackException]
     * when it never can, or with a `CancellationException` when something else was loaded, or the
     * player closed, before.
     */
    fun load(url: String, start: MediaTime? = null, format: SourceFormat? = null): CompletableFuture<Unit> {
        val ready = CompletableFuture<Unit>()
        send(Input.WallClock(System.currentTimeMillis() * 1000))
        val sent = send(Input.Load(Source(url, format, start)), ready)
        check(sent) { "the player is closed" }
        return ready
    }

    /** Fetches the beginning of [url] ahead, as soon as what plays needs nothing more; [load] it then. */
    fun preload(url: String, start: MediaTime? = null, format: SourceFormat? = null) {
        send(Input.Preload(Source(url, format, start)))
    }

    /** Plays these one after another when what plays has ended; each is fetched ahead. */
    fun setQueue(sources: List<Source>) {
        send(Input.Queue(sources))
    }

    /** Stops, and gives everything back but the player itself. */
    fun unload() {
        send(Input.Unload)
    }

    /** Plays, as soon as there is enough to play. */
    fun play() = sink.play()

    /** Stops where the playhead is. */
    fun pause() = sink.pause()

    /** Moves the playhead. */
    fun seek(position: MediaTime) {
        send(Input.Seek(position))
    }

    /**
     * Says what the device and its surroundings are like: the size of the picture, whether anybody
     * sees it, what the network costs. On Android, from `View.onLayout`, `onStop` and
     * `ConnectivityManager`; nothing is known until it is called.
     */
    fun setEnvironment(environment: Environment) {
        send(Input.Environment(environment))
    }

    /**
     * Where the picture for a time is: a thumbnail for a seek bar, or a key frame to move fast by. The
     * future is `null` where there is none, and where another film is loaded meanwhile.
     */
    fun picture(at: MediaTime, kind: PictureKind = PictureKind.Thumbnail): CompletableFuture<Picture?> {
        val answer = CompletableFuture<Picture?>()
        val id = pictureNumber.incrementAndGet().toULong()
        pictures[id] = answer
        if (!send(Input.Picture(id, at, kind))) pictures.remove(id)?.complete(null)
        return answer
    }

    /** Sets the speed; 1.0 is normal. */
    fun setRate(rate: Double) {
        send(Input.SetRate(rate))
    }

    /**
     * Chooses a track, pins a quality, or hands that choice back. Text plays once it is chosen, and no more after
     * [Selection.NoTrack].
     */
    fun select(selection: Selection) {
        send(Input.Select(selection))
    }

    /** Changes how the player behaves. */
    fun configure(config: Config) {
        send(Input.Configure(config))
    }

    /**
     * Tells what the platform knows of the network: on Android, a `ConnectivityManager` callback.
     * While offline, requests rest; they go at once when there is a network again.
     */
    fun networkChanged(state: NetworkState) {
        send(Input.Network(state))
    }

    /** Tells whether the sound is off, or its volume zero: how it is at first, and each time that changes. */
    fun mutedChanged(muted: Boolean) {
        send(Input.Muted(muted))
    }

    /** What the player thinks and does now. Neither this nor the log can be had once it is closed. */
    fun state(): State = core.state()

    /**
     * Everything the player was told so far, if [Config.record] was set: [replay] makes the same
     * outputs of it again, on any platform.
     */
    fun sessionLog(): ByteArray = core.sessionLog()

    /**
     * Stops and gives everything back. Nothing is called after it returns, unless a listener calls
     * it. Calling it again does nothing.
     */
    override fun close() {
        synchronized(lock) {
            if (!closed) {
                closed = true
                inbox.put(Message.Close)
            }
        }
        if (Thread.currentThread() !== thread) thread.join()
    }

    private sealed interface Message {
        /** [ready] belongs to a load. */
        class Happened(val input: TimedInput, val ready: CompletableFuture<Unit>?) : Message

        class Kept(val id: RequestId, val body: ByteBuffer) : Message

        /** A chunk of a body that goes on. */
        class Chunk(val id: RequestId, val start: ULong, val bytes: ByteBuffer) : Message

        class Appended(val id: RequestId) : Message

        class ChunkAppended(val id: RequestId, val start: ULong) : Message

        data object ElementChanged : Message

        data object Close : Message
    }

    private fun now(): Timestamp = ((System.nanoTime() - origin) / 1000).toULong()

    /** The instant is taken under the lock, so that the inbox is in the order of the clock. */
    private fun send(input: Input, ready: CompletableFuture<Unit>? = null): Boolean =
        synchronized(lock) { post(Message.Happened(TimedInput(now(), input), ready)) }

    private fun post(message: Message): Boolean = synchronized(lock) {
        if (!closed) inbox.put(message)
        !closed
    }

    private fun run() {
        try {
            while (handle(await())) { }
            shutDown()
        } catch (fault: Throwable) {
            synchronized(lock) { closed = true }
            runCatching { shutDown() }.exceptionOrNull()?.let(fault::addSuppressed)
            fail(fault)
        } finally {
            supersedeLoading(null)
            inbox.forEach { (it as? Message.Happened)?.ready?.cancel(false) }
            core.close()
        }
    }

    private fun fail(fault: Throwable) {
        val message = "the player failed, and is closed: $fault"
        val error = PlayerError(ErrorCategory.PLAYER, ErrorCode.INTERNAL, Severity.FATAL, message, null, null)
        loading?.completeExceptionally(PlaybackException(error, fault))
        listeners.forEach { listener -> runCatching { listener.onError(error) } }
    }

    /** What has happened since, waiting for it if need be; empty when the time for something has come. */
    private fun await(): List<Message> {
        val first = inbox.poll(nanosToWait(), TimeUnit.NANOSECONDS) ?: return emptyList()
        return ArrayList<Message>().apply {
            add(first)
            inbox.drainTo(this)
        }
    }

    private fun nanosToWait(): Long {
        val now = now()
        val untilWake = wakeAt?.let { if (it > now) (it - now).toLong() * 1000 else 0 }
        val untilReport = reportElementAt?.let { maxOf(it - System.nanoTime(), 0) }
        return minOf(untilWake ?: LONGEST_WAIT_NANOS, untilReport ?: LONGEST_WAIT_NANOS)
    }

    /** Tells the core what happened and does what it asks; false when it is time to close. */
    private fun handle(batch: List<Message>): Boolean {
        val inputs = ArrayList<TimedInput>()
        var elementChanged = false
        for (message in batch) {
            when (message) {
                is Message.Happened -> {
                    val input = message.input.input
                    if (input is Input.Load || input is Input.Unload) {
                        // Outputs of what was loaded before must not settle this load.
                        exchange(inputs)
                        supersedeLoading(message.ready)
                    }
                    if (input is Input.BodyEnd) exchanges.remove(input.id)
                    if (input is Input.RequestFailed) {
                        exchanges.remove(input.id)
                        keptBodies.remove(input.id)
                    }
                    inputs.add(message.input)
                }
                is Message.Kept -> if (message.id in exchanges) keptBodies[message.id] = message.body
                is Message.Appended -> keptBodies.remove(message.id)
                is Message.Chunk -> if (message.id in exchanges) {
                    keptChunks.getOrPut(message.id, ::HashMap)[message.start] = message.bytes
                }
                is Message.ChunkAppended -> keptChunks[message.id]?.remove(message.start)
                Message.ElementChanged -> elementChanged = true
                Message.Close -> return false
            }
        }
        val now = now()
        if (elementChanged || reportElementAt.let { it != null && it <= System.nanoTime() }) {
            val state = sink.state()
            inputs.add(TimedInput(now, Input.Element(state)))
            val moving = !state.paused && !state.ended
            reportElementAt = if (moving) System.nanoTime() + ELEMENT_INTERVAL_NANOS else null
        }
        if (wakeAt.let { it != null && it <= now }) inputs.add(TimedInput(now, Input.Timeout))
        exchange(inputs)
        return true
    }

    /** One crossing with everything that happened, one back with everything that is to be done. */
    private fun exchange(inputs: MutableList<TimedInput>) {
        if (inputs.isEmpty()) return
        core.handleInputs(inputs)
        inputs.clear()
        core.pollOutputs().forEach(::carryOut)
    }

    private fun carryOut(output: Output) {
        tap?.invoke(output)
        when (output) {
            is Output.Request -> start(output.request)
            is Output.Cancel -> {
                exchanges.remove(output.id)?.cancel()
                keptBodies.remove(output.id)
                keptChunks.remove(output.id)
            }
            is Output.Media -> carryOut(output.operation)
            is Output.License -> carryOut(output.command)
            is Output.Event -> tell(output.event)
            is Output.Timeout -> wakeAt = output.at
        }
    }

    /** Asks the app's key system; without one, encrypted content is refused with an error that says so. */
    private fun carryOut(command: LicenseCommand) {
        val system = keySystem
        if (system != null) {
            system.execute(command) { input -> send(input) }
        } else if (command is LicenseCommand.Open) {
            send(Input.KeySystem(opened = null, reason = "the app has given the player no key system"))
        }
    }

    private fun start(request: Request) {
        val collector = ResponseCollector(
            request,
            now = ::now,
            send = { send(it) },
            keep = { post(Message.Kept(request.id, it)) },
            keepChunk = { start, bytes -> post(Message.Chunk(request.id, start, bytes)) },
        )
        // Entered before it starts: it may be over before `start` returns.
        exchanges[request.id] = Cancellable { }
        exchanges[request.id] = transport.start(request, collector)
    }

    private fun carryOut(operation: MediaOperation) {
        val answer = { result: OperationResult -> send(Input.MediaResult(operation.id, result)); Unit }
        val done = { answer(OperationResult.Done(emptyList())) }
        try {
            when (val command = operation.command) {
                is MediaCommand.Append -> return append(command, answer)
                is MediaCommand.Probe -> sink.probe(command.v1)
                is MediaCommand.Remove -> return sink.remove(command.kind, command.range, answer)
                MediaCommand.Open -> sink.open()
                is MediaCommand.AddBuffer -> sink.addBuffer(command.kind, command.mimeType)
                is MediaCommand.ChangeType -> sink.changeType(command.kind, command.mimeType)
                is MediaCommand.SetDuration -> sink.setDuration(command.duration)
                is MediaCommand.SetLiveSeekableRange -> sink.setLiveSeekableRange(command.range)
                MediaCommand.EndOfStream -> sink.endOfStream()
                is MediaCommand.Seek -> sink.seek(command.position)
                is MediaCommand.SetRate -> sink.setRate(command.rate)
                MediaCommand.Close -> {
                    keptBodies.clear()
                    keptChunks.clear()
                    sink.release()
                }
            }
            done()
        } catch (problem: MediaSinkException) {
            answer(OperationResult.Failed(problem.failure))
        }
    }

    private fun append(command: MediaCommand.Append, answer: (OperationResult) -> Unit) {
        val body = command.body
        val bytes = when (body) {
            is AppendBody.Bytes -> ByteBuffer.allocateDirect(body.bytes.size).put(body.bytes).flip()
            is AppendBody.Kept -> keptBodies[body.id]
                ?: throw MediaSinkException(MediaFailure.InvalidState("no body is kept for request ${body.id}"))
            is AppendBody.Span -> keptChunks[body.id]?.get(body.start) ?: span(body)
                ?: throw MediaSinkException(MediaFailure.InvalidState("no such bytes are kept for request ${body.id}"))
        }
        sink.append(command.kind, bytes.duplicate(), command.timestampOffset, command.window) { result ->
            // A buffer that was full may be asked again; otherwise nobody will ask for the bytes.
            if (body is AppendBody.Kept && result is OperationResult.Done) post(Message.Appended(body.id))
            if (body is AppendBody.Span && result is OperationResult.Done) {
                post(Message.ChunkAppended(body.id, body.start))
            }
            answer(result)
        }
    }

    /** A span of what has arrived of a body, behind what the player puts before it. */
    private fun span(body: AppendBody.Span): ByteBuffer? {
        val kept = keptBodies[body.id] ?: return null
        if (body.start > body.end || body.end > kept.limit().toULong()) return null
        val span = kept.duplicate().position(body.start.toInt()).limit(body.end.toInt())
        return ByteBuffer.allocateDirect(body.head.size + span.remaining()).put(body.head).put(span).flip()
    }

    private fun tell(event: Event) {
        when (event) {
            is Event.Loaded -> listeners.forEach { it.onLoaded(event.duration, event.live, event.tracks) }
            Event.Ready -> {
                loading?.complete(Unit)
                loading = null
                listeners.forEach(Listener::onReady)
            }
            is Event.Next -> listeners.forEach { it.onNext(event.url) }
            is Event.PictureAnswered -> pictures.remove(event.id)?.complete(event.picture)
            Event.Playing -> listeners.forEach(Listener::onPlaying)
            is Event.Buffering -> listeners.forEach { it.onBuffering(event.seeking) }
            is Event.QualityChanged -> listeners.forEach {
                it.onQualityChanged(event.kind, event.from, event.to, event.reason)
            }
            is Event.Decided -> listeners.forEach { it.onDecision(event.decision) }
            is Event.OriginFailed -> listeners.forEach {
                it.onOriginFailed(event.origin, event.error, event.penalty)
            }
            is Event.OriginRecovered -> listeners.forEach { it.onOriginRecovered(event.origin) }
            is Event.PathwayChanged -> listeners.forEach { it.onPathwayChanged(event.from, event.to) }
            is Event.Cues -> listeners.forEach { it.onCues(event.cues) }
            Event.CuesCleared -> listeners.forEach(Listener::onCuesCleared)
            is Event.SeekableChanged -> listeners.forEach { it.onSeekableChanged(event.range) }
            is Event.LatencyChanged -> listeners.forEach {
                it.onLatencyChanged(event.standing, event.latency, event.target)
            }
            is Event.LiveEnded -> listeners.forEach { it.onLiveEnded(event.duration) }
            Event.Ended -> listeners.forEach(Listener::onEnded)
            is Event.Warning -> listeners.forEach { it.onWarning(event.warning) }
            is Event.Error -> {
                loading?.completeExceptionally(PlaybackException(event.error))
                loading = null
                listeners.forEach { it.onError(event.error) }
            }
        }
    }

    private fun supersedeLoading(ready: CompletableFuture<Unit>?) {
        loading?.cancel(false)
        loading = ready
    }

    /** The core says what there is to give back. */
    private fun shutDown() {
        try {
            core.handleInput(now(), Input.Unload)
            core.pollOutputs().forEach(::carryOut)
        } finally {
            exchanges.values.forEach(Cancellable::cancel)
            exchanges.clear()
            keptBodies.clear()
            keptChunks.clear()
            try {
                transport.close()
            } finally {
                sink.close()
            }
        }
    }

    private companion object {
        /** The player wants the element's state at least four times a second while playing. */
        const val ELEMENT_INTERVAL_NANOS = 200_000_000L

        const val LONGEST_WAIT_NANOS = 3_600_000_000_000L
    }
}

/** Playback cannot go on; [error] is a row of the public table, with what it is about. */
class PlaybackException(val error: PlayerError, cause: Throwable? = null) :
    Exception("${error.code}: ${error.message}", cause)
