import CNATS
import Foundation

/// Starts programs in a session of their own: a signal meant for us does not reach them, they inherit none of our
/// open files (a lock or a listening socket must not outlive us in them), and they go on when we are killed.
package enum ChildProcess {
    /// - Parameters:
    ///   - environment: all variables the program sees; nil hands on our own.
    ///   - output: where standard output and error go; appended to. Created with mode 0600.
    /// - Returns: the process id.
    package static func start(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, output: String
    ) throws(NatsFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        setSignals(&attributes)
        var arguments = ([path] + arguments).map { strdup($0) }
        var variables = (environment ?? [:]).map { strdup("\($0.key)=\($0.value)") }
        defer { for text in arguments + variables { free(text) } }
        arguments.append(nil)
        variables.append(nil)
        var pid: pid_t = 0
        let error =
            environment == nil
            ? posix_spawn(&pid, path, &actions, &attributes, &arguments, environ)
            : posix_spawn(&pid, path, &actions, &attributes, &arguments, &variables)
        guard error == 0 else { throw .server("\(path) cannot be started: \(String(cString: strerror(error)))") }
        return pid
    }

    /// A new session, no signal blocked, the usual reactions to signals.
    private static func setSignals(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        let flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | spawn_new_session
        posix_spawnattr_setflags(&attributes, flags)
    }

    /// Waits for a child to end, and reaps it.
    package static func wait(_ pid: pid_t) {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    /// Stops a child with SIGSTOP; returns when all of it stands still, which the signal alone does not promise.
    package static func freeze(_ pid: pid_t) {
        var status: Int32 = 0
        kill(pid, SIGSTOP)
        while waitpid(pid, &status, WUNTRACED) < 0, errno == EINTR {}
    }

    /// True when the child has ended; it is reaped then.
    package static func hasEnded(_ pid: pid_t) -> Bool {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) != 0
    }

    /// Runs a program to its end and returns what it printed; nil when it cannot be run. For short commands.
    package static func output(_ path: String, _ arguments: [String]) -> String? {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("mailsync-\(UUID().uuidString)").path
        defer { unlink(file) }
        guard let pid = try? start(path, arguments, output: file) else { return nil }  // The caller reports nil.
        wait(pid)
        return FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
    }
}
