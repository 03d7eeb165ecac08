package kinora

import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardCopyOption.REPLACE_EXISTING

/**
 * Where events wait that outlive the process: one text for each profile, of at most some hundred
 * kilobytes. A profile has one [Reporter] at a time.
 */
interface ReporterStorage {
    /** What was written last; `null` if that is nothing. */
    fun read(profile: String): String?

    /** Keeps [text] in place of what there is; `null` removes it. */
    fun write(profile: String, text: String?)
}

/** Keeps them in files of a [folder], which other apps should not be able to read: `Context.filesDir`, say. */
class FileStorage(private val folder: Path) : ReporterStorage {
    override fun read(profile: String): String? = try {
        Files.readString(file(profile))
    } catch (nothing: NoSuchFileException) {
        null
    }

    override fun write(profile: String, text: String?) {
        val file = file(profile)
        if (text == null) {
            Files.deleteIfExists(file)
            return
        }
        Files.createDirectories(folder)
        val fresh = Files.createTempFile(folder, "events", ".new")
        Files.writeString(fresh, text)
        // The file is whole whatever happens.
        Files.move(fresh, file, ATOMIC_MOVE, REPLACE_EXISTING)
    }

    /** A name of a file for each name of a profile, whatever is in it. */
    private fun file(profile: String): Path {
        val name = profile.toByteArray().joinToString("") { byte ->
            val letter = byte.toInt().toChar()
            if (letter in 'a'..'z' || letter in '0'..'9' || letter == '-') "$letter" else "_%02x".format(byte)
        }
        return folder.resolve("events-$name.json")
    }
}
