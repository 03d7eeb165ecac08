package kinora

import java.nio.file.Files
import java.nio.file.Path
import kotlin.test.assertEquals

/** The error table is the same in every language. */
fun Tests.errorTableTests() {
    test("the error codes of Kotlin are those of the core, by name and in order") {
        assertEquals(ErrorCode.entries.toList(), errorTable().map { it.code })
        assertEquals(ErrorCode.entries.map { it.name }, errorTable().map { it.name })
    }

    test("every error category of Kotlin has a code") {
        assertEquals(ErrorCategory.entries.toSet(), errorTable().map { it.category }.toSet())
    }

    test("the error codes of the Swift sources are those of the core, by name and in order") {
        val source = Files.readString(Path.of(System.getProperty("kinora.swift"), "Kinora.swift"))
        val body = source.substringAfter("enum ErrorCode").substringBefore("\n}")
        // A name that is a word of the language stands in backquotes.
        val cases = Regex("""\bcase `?(\w+)`?$""", RegexOption.MULTILINE).findAll(body)
        val names = cases.map { it.groupValues[1].replace(Regex("[A-Z]")) { c -> "_${c.value}" }.uppercase() }
        assertEquals(errorTable().map { it.name }, names.toList())
    }
}
