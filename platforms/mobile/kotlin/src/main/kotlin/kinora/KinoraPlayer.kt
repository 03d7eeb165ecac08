package kinora

import java.nio.ByteBuffer
import java.time.Duration
import java.util.concurrent.CancellationException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

/** The player wants the element's state at least four times a second while playing. */
private const val ELEMENT_INTERVAL_NANOS = 200_000_000L

/**
 * An adaptive streaming player: the shared core decides, [transport] fetches, [sink] plays.
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
    private val transport: HttpTransport = JdkTransport(),
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

        /** The playhead has reached the end. */
        fun onEnded() = Unit

        /** Something went wrong and the player went on. */
        fun onWarning(warning: Warning) = Unit

        /** Playback cannot go on. Another [load] may follow. */
        fun onError(error: PlayerError) = Unit

        /** A fault inside the SDK, the sink or a listener: the player has closed itself. */
        fun onFault(fault: Throwable) = Unit
    }

    private val origin = System.nanoTime()
    private val core = Player(config, 0uL)
    private val inbox = LinkedBlockingQueue<Message>()
    private val listeners = CopyOnWriteArrayList<Listener>()
    private val thread = Thread(::run, "kinora-player").apply { isDaemon = true }

    // Only the player's thread touches these.
    private val exchanges = HashMap<RequestId, Cancellable>()
    private val keptBodies = HashMap<RequestId, ByteBuffer>()
    private var wakeAt: Timestamp? = null
    private var lastState: ElementState? = null

    /** Sees every output in order; tests compare them with a replay. */
    @Volatile internal var tap: ((Output) -> Unit)? = null

    private val lock = Any()
    private var closed = false
    private var loading: CompletableFuture<Unit>? = null

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
     * when it never can, or with a [CancellationException] when something else was loaded, or the
     * player closed, before.
     */
    fun load(url: String, start: MediaTime? = null, format: SourceFormat? = null): CompletableFuture<Unit> {
        val ready = CompletableFuture<Unit>()
        val before = synchronized(lock) {
            check(!closed) { "the player is closed" }
            loading.also { loading = ready }
        }
        before?.completeExceptionally(CancellationException("something else was loaded"))
        send(Input.Load(Source(url, format, start)))
        return ready
    }

    /** Stops, and gives everything back but the player itself. */
    fun unload() {
        settleLoading { it.completeExceptionally(CancellationException("the player was unloaded")) }
        send(Input.Unload)
    }

    /** Plays, as soon as there is enough to play. */
    fun play() = sink.play()

    /** Stops where the playhead is. */
    fun pause() = sink.pause()

    /** Moves the playhead. */
    fun seek(position: MediaTime) = send(Input.Seek(position))

    /** Sets the speed; 1.0 is normal. */
    fun setRate(rate: Double) = send(Input.SetRate(rate))

    /** Chooses a track, pins a quality, or hands that choice back. */
    fun select(selection: Selection) = send(Input.Select(selection))

    /** Changes how the player behaves. */
    fun configure(config: Config) = send(Input.Configure(config))

    /** What the player thinks and does now. */
    fun state(): State = core.state()

    /**
     * Everything the player was told so far, if [Config.record] was set: [replay] makes the same
     * outputs of it again, on any platform.
     */
    fun sessionLog(): ByteArray = core.sessionLog()

    /**
     * Stops and gives everything back. Nothing is called after it returns, unless it is called by
     * a listener. Calling it again does nothing.
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
        data class Happened(val input: TimedInput) : Message
        data class Kept(val id: RequestId, val body: ByteBuffer) : Message
        data object ElementChanged : Message
        data object Close : Message
    }

    private fun now(): Timestamp = ((System.nanoTime() - origin) / 1000).toULong()

    /** The instant is taken under the lock, so that the inbox is in the order of the clock. */
    private fun send(input: Input) = synchronized(lock) {
        if (!closed) inbox.put(Message.Happened(TimedInput(now(), input)))
    }

    private fun post(message: Message) = synchronized(lock) {
        if (!closed) inbox.put(message)
    }

    private fun run() {
        try {
            while (true) {
                val batch = await()
                if (!handle(batch)) break
                core.pollOutputs().forEach(::carryOut)
            }
            shutDown()
        } catch (fault: Throwable) {
            synchronized(lock) { closed = true }
            runCatching { shutDown() }.exceptionOrNull()?.let(fault::addSuppressed)
            listeners.forEach { listener -> runCatching { listener.onFault(fault) } }
        } finally {
            settleLoading { it.completeExceptionally(CancellationException("the player was closed")) }
            core.close()
        }
    }

    /** What has happened since, waiting for it if need be; empty if the time has come for something. */
    private fun await(): List<Message> {
        val first = inbox.poll(nanosToWait(), TimeUnit.NANOSECONDS) ?: return emptyList()
        return ArrayList<Message>().apply {
            add(first)
            inbox.drainTo(this)
        }
    }

    private fun nanosToWait(): Long {
        val untilWake = wakeAt?.let { at ->
            val now = now()
            if (at > now) (at - now).coerceAtMost(Long.MAX_VALUE.toULong() / 1000uL).toLong() * 1000 else 0
        }
        val moving = lastState?.let { !it.paused && !it.ended } ?: false
        val untilReport = if (moving) ELEMENT_INTERVAL_NANOS else Long.MAX_VALUE
        return minOf(untilWake ?: Long.MAX_VALUE, untilReport)
    }

    /** Tells the core what happened; false when it is time to close. */
    private fun handle(batch: List<Message>): Boolean {
        val inputs = ArrayList<TimedInput>()
        for (message in batch) {
            when (message) {
                is Message.Happened -> inputs.add(message.input)
                is Message.Kept -> keptBodies[message.id] = message.body
                Message.ElementChanged -> Unit
                Message.Close -> return false
            }
        }
        // Whatever woke the thread, the playhead may have moved.
        val state = sink.state()
        val now = now()
        if (state != lastState) {
            lastState = state
            inputs.add(TimedInput(now, Input.Element(state)))
        }
        if (wakeAt.let { it != null && it <= now }) inputs.add(TimedInput(now, Input.Timeout))
        core.handleInputs(inputs)
        return true
    }

    private fun carryOut(output: Output) {
        tap?.invoke(output)
        when (output) {
            is Output.Request -> start(output.v1)
            is Output.Cancel -> {
                exchanges.remove(output.v1)?.cancel()
                keptBodies.remove(output.v1)
            }
            is Output.Media -> carryOut(output.v1)
            is Output.Event -> tell(output.v1)
            is Output.Timeout -> wakeAt = output.v1
        }
    }
}
