package kinora

/**
 * The cues of the text track that plays. Added to a player as a listener, it is told of them; whoever draws asks it what is
 * to be shown.
 *
 * ```
 * val subtitles = Subtitles()
 * player.addListener(subtitles)
 * player.select(Selection.Track(MediaKind.TEXT, track.index))
 * // for each frame:
 * view.text = subtitles.at(position).joinToString("\n") { plainText(it.text) }
 * ```
 *
 * It may be asked from any thread.
 */
class Subtitles : KinoraPlayer.Listener {
    @Volatile private var cues = emptyList<Cue>()

    /** What is shown at [position], in the order it is said. */
    fun at(position: MediaTime): List<Cue> =
        cues.filter { it.span.start <= position && position < it.span.end }

    override fun onCues(cues: List<Cue>) {
        this.cues = (this.cues + cues).sortedBy { it.span.start }
    }

    override fun onCuesCleared() {
        cues = emptyList()
    }
}

/** The words of a cue without the tags of WebVTT, and with the characters that its references stand for (W3C WebVTT §3.5). */
fun plainText(text: String): String =
    text.replace(TAG, "").replace(REFERENCE) { CHARACTERS[it.groupValues[1]] ?: it.value }

private val TAG = Regex("<[^>]*(>|$)")
private val REFERENCE = Regex("&([a-z]+);")
private val CHARACTERS = mapOf(
    "amp" to "&", "lt" to "<", "gt" to ">", "nbsp" to "\u00a0", "lrm" to "\u200e", "rlm" to "\u200f",
)
