package kinora

/** A set of times: ranges in order, without overlaps. */
internal class Ranges {
    private val ranges = ArrayList<TimeRange>()

    /** The ranges, in order. */
    val all: List<TimeRange> get() = ranges.toList()

    /** Where the last range ends; null if there is none. */
    val end: MediaTime? get() = ranges.lastOrNull()?.end

    /** Adds a range; ranges that nearly touch become one, as frames of different tracks do not align. */
    fun add(range: TimeRange) {
        val touching = ranges.filter { it.start <= range.end + TOLERANCE && range.start <= it.end + TOLERANCE }
        ranges.removeAll(touching)
        val start = touching.fold(range.start) { earliest, other -> minOf(earliest, other.start) }
        val end = touching.fold(range.end) { latest, other -> maxOf(latest, other.end) }
        val at = ranges.indexOfFirst { it.start > start }
        ranges.add(if (at < 0) ranges.size else at, TimeRange(start, end))
    }

    /** Removes a range. */
    fun remove(range: TimeRange) {
        if (range.start >= range.end) return
        val left = ranges.flatMap { have ->
            listOf(
                TimeRange(have.start, minOf(have.end, range.start)),
                TimeRange(maxOf(have.start, range.end), have.end),
            ).filter { it.start < it.end }
        }
        ranges.clear()
        ranges.addAll(left)
    }

    /** Where the range around [time] ends; null if there is none. Media may begin a little late. */
    fun endAround(time: MediaTime): MediaTime? =
        ranges.firstOrNull { it.start <= time + TOLERANCE && time <= it.end }?.end

    private companion object {
        val TOLERANCE = MediaTime.ofSeconds(0.1)
    }
}
