package kinora

import android.media.MediaCrypto
import android.media.MediaDrm
import android.media.NotProvisionedException
import android.media.UnsupportedSchemeException
import java.net.HttpURLConnection
import java.net.URL
import java.util.UUID
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException

/** Licences that are kept on the device, for playback without a network. The bytes are of no use elsewhere. */
interface LicenseStore {
    /** What was kept for this initialisation data. */
    fun load(initData: ByteArray): ByteArray?

    /** Keeps what [MediaDrm] calls a licence. */
    fun save(initData: ByteArray, keySet: ByteArray)
}

/**
 * Android's key systems (`MediaDrm`, API 28 or later): Widevine, and ClearKey where the device has it.
 *
 * ```
 * val keys = MediaDrmSystem()
 * val player = KinoraPlayer(sink, config, transport, keySystem = keys)   // the sink asks keys.cryptoFor(id)
 * ```
 *
 * It carries out what the player asks and tells what came of it. Key systems, sessions, licence servers and what to do when
 * one fails are decided there. Everything happens on a thread of its own.
 *
 * @param licenses where persistent licences are kept; without it they last as long as the session
 * @param provision makes the request by which a device gets its certificate, and gives the answer; called on that thread
 */
class MediaDrmSystem(
    private val licenses: LicenseStore? = null,
    private val provision: (url: String, request: ByteArray) -> ByteArray = ::provisionOverHttp,
) : KeySystem, AutoCloseable {
    private val thread = Executors.newSingleThreadExecutor { task -> Thread(task, "kinora-drm") }
    private val sessions = ConcurrentHashMap<KeySessionId, Session>()

    @Volatile
    private var opened: Opened? = null
    private var tell: (Input) -> Unit = { }

    private class Opened(val name: String, val scheme: UUID, val drm: MediaDrm)

    private class Session(val id: ByteArray, val type: String, val initData: ByteArray, val persistent: Boolean) {
        /** The keys that may be asked for, and what may be done with them. */
        @Volatile
        var keys: List<KeyState> = emptyList()
    }

    override fun execute(command: LicenseCommand, answer: (Input) -> Unit) = later {
        tell = answer
        when (command) {
            is LicenseCommand.Open -> open(command.systems)
            is LicenseCommand.Create -> attempt(command.session) {
                create(command.session, command.initDataType, command.initData, command.persistent)
            }
            is LicenseCommand.Update -> attempt(command.session) { update(command.session, command.response) }
            is LicenseCommand.Close -> end(command.session)
            LicenseCommand.Shut -> sessions.keys.toList().forEach(::end)
        }
    }

    /**
     * What a `MediaCodec` decrypts samples with that this key encrypts; `null` as long as no session has it. The caller
     * releases it.
     */
    fun cryptoFor(keyId: ByteArray): MediaCrypto? {
        val system = opened ?: return null
        val session = sessions.values.firstOrNull { session -> session.keys.any { it.id.contentEquals(keyId) } }
        return session?.let { MediaCrypto(system.scheme, it.id) }
    }

    /** Ends every session and gives the key system back. */
    override fun close() {
        later {
            sessions.keys.toList().forEach(::end)
            opened?.drm?.close()
            opened = null
        }
        thread.shutdown()
    }

    private fun later(task: () -> Unit) {
        // What comes after close() has nobody to tell.
        try {
            thread.execute(task)
        } catch (_: RejectedExecutionException) {
        }
    }

    private fun attempt(session: KeySessionId, task: () -> Unit) {
        try {
            task()
        } catch (problem: Exception) {
            tell(Input.KeySessionFailed(session, problem.message ?: problem.toString()))
        }
    }

    private fun open(offers: List<KeySystemOffer>) {
        val reasons = ArrayList<String>()
        for (offer in offers) {
            try {
                use(offer)
                tell(Input.KeySystem(offer.keySystem, ""))
                return
            } catch (problem: Exception) {
                reasons += "${offer.keySystem}: ${problem.message ?: problem}"
            }
        }
        tell(Input.KeySystem(null, reasons.joinToString("; ")))
    }

    private fun use(offer: KeySystemOffer) {
        if (opened?.name == offer.keySystem) return
        val scheme = schemeOf(offer.keySystem) ?: throw UnsupportedSchemeException("not of Android")
        val drm = MediaDrm(scheme)
        try {
            if (scheme == WIDEVINE) secure(drm, offer)
            drm.setOnEventListener(thread) { _, id, event, _, _ -> heard(id, event) }
            drm.setOnKeyStatusChangeListener(thread, { _, id, keys, _ -> changed(id, keys) })
            // A device without a certificate says so when it is to open a session.
            drm.closeSession(openSession(drm))
        } catch (problem: Exception) {
            drm.close()
            throw problem
        }
        opened?.drm?.close()
        opened = Opened(offer.keySystem, scheme, drm)
    }

    private fun secure(drm: MediaDrm, offer: KeySystemOffer) {
        if (offer.videoRobustness.startsWith("HW_SECURE") && drm.getPropertyString(LEVEL) != "L1") {
            throw UnsupportedSchemeException("this device does not protect pictures as ${offer.videoRobustness}")
        }
        if (offer.videoRobustness.startsWith("SW_SECURE")) drm.setPropertyString(LEVEL, "L3")
        offer.certificate?.let { certificate ->
            drm.setPropertyString("privacyMode", "enable")
            drm.setPropertyByteArray("serviceCertificate", certificate)
        }
    }

    private fun openSession(drm: MediaDrm): ByteArray =
        try {
            drm.openSession()
        } catch (_: NotProvisionedException) {
            val request = drm.provisionRequest
            drm.provideProvisionResponse(provision(request.defaultUrl, request.data))
            drm.openSession()
        }

    private fun create(number: KeySessionId, type: String, initData: ByteArray, persistent: Boolean) {
        val drm = checkNotNull(opened) { "no key system is open" }.drm
        val session = Session(openSession(drm), type, initData, persistent)
        sessions[number] = session
        val kept = if (persistent) licenses?.load(initData) else null
        if (kept == null) return ask(drm, number, session)
        drm.restoreKeys(session.id, kept)
        usable(number, session)
    }

    private fun ask(drm: MediaDrm, number: KeySessionId, session: Session) {
        val kind = if (session.persistent) MediaDrm.KEY_TYPE_OFFLINE else MediaDrm.KEY_TYPE_STREAMING
        val data = if (session.type == "keyids") psshOf(keyIdsOf(session.initData)) else session.initData
        val request = drm.getKeyRequest(session.id, data, "video/mp4", kind, null)
        tell(Input.KeyMessage(number, request.data))
    }

    private fun update(number: KeySessionId, response: ByteArray) {
        val drm = checkNotNull(opened) { "no key system is open" }.drm
        val session = checkNotNull(sessions[number]) { "there is no such key session" }
        val keySet = drm.provideKeyResponse(session.id, response)
        if (session.persistent && keySet != null && keySet.isNotEmpty()) licenses?.save(session.initData, keySet)
        usable(number, session)
    }

    /** ClearKey tells nothing of its keys; Widevine does by itself. */
    private fun usable(number: KeySessionId, session: Session) {
        if (session.type != "keyids") return
        session.keys = keyIdsOf(session.initData).map { KeyState(it, KeyStatus.USABLE) }
        tell(Input.KeyStatuses(number, session.keys))
    }

    private fun end(number: KeySessionId) {
        val session = sessions.remove(number) ?: return
        opened?.drm?.closeSession(session.id)
    }

    private fun heard(id: ByteArray?, event: Int) {
        val drm = opened?.drm ?: return
        val (number, session) = sessions.entries.firstOrNull { it.value.id.contentEquals(id) } ?: return
        when (event) {
            MediaDrm.EVENT_KEY_REQUIRED -> attempt(number) { ask(drm, number, session) }
            MediaDrm.EVENT_SESSION_RECLAIMED ->
                tell(Input.KeySessionFailed(number, "the device has taken the session for another app"))
        }
    }

    private fun changed(id: ByteArray, keys: List<MediaDrm.KeyStatus>) {
        val (number, session) = sessions.entries.firstOrNull { it.value.id.contentEquals(id) } ?: return
        session.keys = keys.map { KeyState(it.keyId, statusOf(it.statusCode)) }
        tell(Input.KeyStatuses(number, session.keys))
    }

    private companion object {
        const val LEVEL = "securityLevel"
        val WIDEVINE: UUID = UUID.fromString("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
        val CLEAR_KEY: UUID = UUID.fromString("e2719d58-a985-b3c9-781a-b030af78d30e")

        fun schemeOf(name: String): UUID? = when {
            name.startsWith("com.widevine") -> WIDEVINE
            name == "org.w3.clearkey" -> CLEAR_KEY
            else -> null
        }

        fun statusOf(code: Int): KeyStatus = when (code) {
            MediaDrm.KeyStatus.STATUS_USABLE -> KeyStatus.USABLE
            MediaDrm.KeyStatus.STATUS_EXPIRED -> KeyStatus.EXPIRED
            MediaDrm.KeyStatus.STATUS_OUTPUT_NOT_ALLOWED -> KeyStatus.OUTPUT_RESTRICTED
            MediaDrm.KeyStatus.STATUS_PENDING -> KeyStatus.PENDING
            MediaDrm.KeyStatus.STATUS_USABLE_IN_FUTURE -> KeyStatus.USABLE_IN_FUTURE
            else -> KeyStatus.INTERNAL_ERROR
        }
    }
}

/** Google's own way: the request is part of the URL. */
private fun provisionOverHttp(url: String, request: ByteArray): ByteArray {
    val connection = URL("$url&signedRequest=${String(request)}").openConnection() as HttpURLConnection
    connection.requestMethod = "POST"
    connection.connectTimeout = PATIENCE_MILLIS
    connection.readTimeout = PATIENCE_MILLIS
    try {
        return connection.inputStream.use { it.readBytes() }
    } finally {
        connection.disconnect()
    }
}

private const val PATIENCE_MILLIS = 15_000
