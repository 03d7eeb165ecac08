package kinora

import java.nio.ByteBuffer
import java.util.Base64

/** The ids in initialisation data of the type `keyids` (W3C "keyids" Initialization Data Format). */
internal fun keyIdsOf(initData: ByteArray): List<ByteArray> {
    val ids = Regex("\"kids\"\\s*:\\s*\\[([^]]*)]").find(String(initData))?.groupValues?.get(1).orEmpty()
    return Regex("\"([A-Za-z0-9_-]+)\"").findAll(ids).map { Base64.getUrlDecoder().decode(it.groupValues[1]) }.toList()
}

/** A `pssh` box that names keys to whoever understands it (ISO/IEC 23001-7 §8.1, W3C "cenc" Initialization Data Format). */
internal fun psshOf(keyIds: List<ByteArray>): ByteArray {
    require(keyIds.all { it.size == KEY_ID_BYTES }) { "a key id has $KEY_ID_BYTES bytes" }
    val size = 36 + keyIds.size * KEY_ID_BYTES
    val box = ByteBuffer.allocate(size).putInt(size).put("pssh".toByteArray())
    // Version 1, no flags; the W3C's common system.
    box.putInt(0x0100_0000).putLong(0x1077_efec_c0b2_4d02).putLong(-0x531c_c3e1_ad1d_04b5)
    box.putInt(keyIds.size)
    keyIds.forEach(box::put)
    return box.putInt(0).array()
}

private const val KEY_ID_BYTES = 16
