package kinora

/** Flicks in a second. */
private const val FLICKS_PER_SECOND = 705_600_000L

/**
 * A point on, or a distance along, the presentation timeline: whole flicks (1/705 600 000 s), which
 * the frame and sample rates in use all divide, so that sums do not drift.
 */
@JvmInline
value class MediaTime(val flicks: Long) : Comparable<MediaTime> {
    /** The time in seconds, as media elements count it. */
    val seconds: Double get() = flicks.toDouble() / FLICKS_PER_SECOND

    /** The distance in nanoseconds, rounded down; times beyond 292 years saturate. */
    val nanos: Long
        get() {
            val whole = Math.floorDiv(flicks, FLICKS_PER_SECOND)
            val rest = Math.floorMod(flicks, FLICKS_PER_SECOND) * 1_000_000_000L / FLICKS_PER_SECOND
            if (whole > Long.MAX_VALUE / 1_000_000_000L - 1) return Long.MAX_VALUE
            if (whole < Long.MIN_VALUE / 1_000_000_000L + 1) return Long.MIN_VALUE
            return whole * 1_000_000_000L + rest
        }

    /** The sum; saturates. */
    operator fun plus(other: MediaTime): MediaTime {
        val sum = flicks + other.flicks
        val overflown = (flicks xor sum) and (other.flicks xor sum) < 0
        return if (!overflown) MediaTime(sum) else if (flicks < 0) MIN else MAX
    }

    /** The difference; saturates. */
    operator fun minus(other: MediaTime): MediaTime {
        val difference = flicks - other.flicks
        val overflown = (flicks xor other.flicks) and (flicks xor difference) < 0
        return if (!overflown) MediaTime(difference) else if (flicks < 0) MIN else MAX
    }

    override fun compareTo(other: MediaTime): Int = flicks.compareTo(other.flicks)

    override fun toString(): String = "%.3f s".format(java.util.Locale.ROOT, seconds)

    companion object {
        /** The start of the presentation timeline. */
        val ZERO = MediaTime(0)

        /** Later than every other time. */
        val MAX = MediaTime(Long.MAX_VALUE)

        /** Earlier than every other time. */
        val MIN = MediaTime(Long.MIN_VALUE)

        /** A time from seconds, rounded to the nearest flick; not a number becomes zero. */
        fun ofSeconds(seconds: Double): MediaTime {
            val flicks = seconds * FLICKS_PER_SECOND
            return MediaTime((flicks + if (flicks < 0) -0.5 else 0.5).toLong())
        }

        /** A time from nanoseconds, rounded down. */
        fun ofNanos(nanos: Long): MediaTime {
            val whole = Math.floorDiv(nanos, 1_000_000_000L)
            val rest = Math.floorMod(nanos, 1_000_000_000L) * FLICKS_PER_SECOND / 1_000_000_000L
            return MediaTime(whole * FLICKS_PER_SECOND + rest)
        }
    }
}

/** The earlier of two times. */
fun minOf(a: MediaTime, b: MediaTime): MediaTime = if (a <= b) a else b

/** The later of two times. */
fun maxOf(a: MediaTime, b: MediaTime): MediaTime = if (a >= b) a else b
