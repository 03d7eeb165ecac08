package kinora

/**
 * The platform's key system, as the player needs it: Android's `MediaDrm` behind this interface, or one of the app's.
 *
 * `execute` must not block. What comes of a command is told by `answer`, on any thread, as the inputs that
 * [LicenseCommand] names: `KeySystem` after `Open`, `KeyMessage` whenever a session asks the licence server,
 * `KeyStatuses` after every update and every change, `KeySessionFailed` when a session fails. The player makes the
 * licence requests itself.
 */
fun interface KeySystem {
    fun execute(command: LicenseCommand, answer: (Input) -> Unit)
}
