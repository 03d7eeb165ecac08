package kinora

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path

/** The packaged test clip: eight seconds, video in several qualities, audio. */
object Clip {
    val root = Path.of(System.getProperty("kinora.clip"))

    /** A directory for each representation. */
    val representations: List<Path> =
        Files.list(root).use { entries -> entries.filter(Files::isDirectory).sorted().toList() }

    val video: Path = representations.first { it.fileName.toString().startsWith("video") }
    val audio: Path = representations.first { it.fileName.toString().startsWith("audio") }

    /** A file in memory that native code can read where it lies. */
    fun read(path: Path): ByteBuffer {
        val bytes = Files.readAllBytes(path)
        return ByteBuffer.allocateDirect(bytes.size).put(bytes).flip()
    }

    fun init(of: Path): ByteBuffer = read(of.resolve("init.mp4"))

    /** The media segments, in order. */
    fun segments(of: Path): List<Path> =
        Files.list(of).use { files -> files.filter { it.toString().endsWith(".m4s") }.sorted().toList() }
}
