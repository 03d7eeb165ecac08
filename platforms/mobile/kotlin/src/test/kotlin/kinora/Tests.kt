package kinora

import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import kotlin.system.exitProcess

/** No test takes this long unless something hangs. */
private const val PATIENCE_SECONDS = 90L

/** Runs the tests whose name contains one of the arguments, or all of them. */
fun main(filters: Array<String>) {
    val tests = Tests().apply {
        errorTableTests()
        valueTests()
        sinkTests()
        transportTests()
        collectorTests()
        playbackTests()
        protectedTests()
        failureTests()
        reporterTests()
    }
    val failed = tests.run { name -> filters.isEmpty() || filters.any { it in name } }
    exitProcess(if (failed) 1 else 0)
}

/** A list of named tests. */
class Tests {
    private val tests = LinkedHashMap<String, () -> Unit>()

    /** Adds a test. */
    fun test(name: String, body: () -> Unit) {
        check(tests.put(name, body) == null) { "two tests are called \"$name\"" }
    }

    /** Runs the tests that are [wanted], and says whether any failed. */
    fun run(wanted: (String) -> Boolean): Boolean {
        val runner = Executors.newCachedThreadPool { task -> Thread(task).apply { isDaemon = true } }
        var passed = 0
        var failed = 0
        for ((name, body) in tests.filterKeys(wanted)) {
            val start = System.nanoTime()
            val problem = try {
                runner.submit(body).get(PATIENCE_SECONDS, TimeUnit.SECONDS)
                null
            } catch (problem: ExecutionException) {
                problem.cause
            } catch (problem: TimeoutException) {
                problem
            }
            val millis = (System.nanoTime() - start) / 1_000_000
            println("${if (problem == null) "ok    " else "FAILED"} $name ($millis ms)")
            problem?.printStackTrace(System.out)
            if (problem == null) passed++ else failed++
        }
        println("$passed passed, $failed failed")
        return failed > 0
    }
}
