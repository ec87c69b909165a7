import CNATS
import Foundation
import MailModel

/// The library's options for one connection.
final class LinkOptions {
    private let options: OpaquePointer

    init(_ configuration: NatsConfiguration) throws(NatsFailure) {
        try configuration.validate()
        var made: OpaquePointer?
        guard natsOptions_Create(&made) == NATS_OK, let made else { throw .configuration("out of memory") }
        options = made
        try set(configuration)
        try secure(configuration)
    }

    deinit { natsOptions_Destroy(options) }

    private func set(_ configuration: NatsConfiguration) throws(NatsFailure) {
        try check("NATS_URL", withServers(configuration.urls))
        try check("name", natsOptions_SetName(options, configuration.name))
        try check("time-out", natsOptions_SetTimeout(options, Int64(configuration.connectTimeoutMilliseconds)))
        try check("ping", natsOptions_SetPingInterval(options, Int64(configuration.pingIntervalMilliseconds)))
        try check("ping", natsOptions_SetMaxPingsOut(options, 2))
        // Without this the library's flusher asks for the write, a millisecond later.
        try check("sending", natsOptions_SetSendAsap(options, true))
        // The owner makes a new connection instead; with the library's own reconnect, what it buffered meanwhile
        // would be sent late and its two refusals of a password would end it anyway.
        try check("reconnect", natsOptions_SetAllowReconnect(options, false))
        try check("reconnect buffer", natsOptions_SetReconnectBufSize(options, 1))
        if let file = configuration.credentialsFile {
            try check("NATS_CREDS", natsOptions_SetUserCredentialsFromFiles(options, file, nil))
        }
        if let token = configuration.token {
            try check("NATS_TOKEN", natsOptions_SetToken(options, token.revealed))
        }
    }

    private func secure(_ configuration: NatsConfiguration) throws(NatsFailure) {
        guard configuration.wantsTLS else { return }
        try check("TLS", natsOptions_SetSecure(options, true))
        if let file = configuration.certificateAuthorityFile {
            try check("NATS_CA", natsOptions_LoadCATrustedCertificates(options, file))
        }
        if let certificate = configuration.certificateFile, let key = configuration.keyFile {
            try check("NATS_CERT", natsOptions_LoadCertificatesChain(options, certificate, key))
        }
    }

    private func withServers(_ urls: [String]) -> natsStatus {
        let copies = urls.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var list = copies.map { UnsafePointer($0) }
        return natsOptions_SetServers(options, &list, Int32(list.count))
    }

    private func check(_ setting: String, _ status: natsStatus) throws(NatsFailure) {
        guard status == NATS_OK else { throw .configuration("\(setting) is not usable: \(lastError(status))") }
    }

    /// Makes the connection call `hooks` for its socket and its errors.
    func attach(_ hooks: LinkHooks) throws(NatsFailure) {
        let unretained = Unmanaged.passUnretained(hooks).toOpaque()
        try check(
            "error handler",
            natsOptions_SetErrorHandler(
                options,
                { _, _, status, closure in
                    guard status == NATS_NOT_PERMITTED else { return }
                    LinkHooks.from(closure)?.refused(lastError(status))
                }, unretained))
        try check(
            "closed handler",
            natsOptions_SetClosedCB(
                options,
                { _, closure in
                    guard let closure else { return }
                    Unmanaged<LinkHooks>.fromOpaque(closure).takeRetainedValue().waker.wake()
                }, unretained))
        try check("event loop", natsOptions_SetEventLoop(options, unretained, attached, readable, writable, detached))
    }

    /// Connects. The connection holds a reference to `hooks` until it reports that it is closed.
    func connect(_ hooks: LinkHooks) throws(NatsFailure) -> OpaquePointer {
        let held = Unmanaged.passRetained(hooks)
        var connection: OpaquePointer?
        let status = natsConnection_Connect(&connection, options)
        if status == NATS_OK, let connection { return connection }
        held.release()
        let text = lastError(status)
        switch status {
        case NATS_CONNECTION_AUTH_FAILED: throw .refused("NATS refuses the credentials: \(text)")
        case NATS_SECURE_CONNECTION_REQUIRED:
            throw .configuration("this NATS server requires TLS: use a tls:// URL. \(tlsHint)")
        case NATS_SECURE_CONNECTION_WANTED:
            throw .configuration("TLS is configured but this NATS server does not offer it")
        default: throw .unreachable("NATS cannot be reached: \(text)")
        }
    }

    private var tlsHint: String { NatsConfiguration.tlsRefused(String(cString: nats_GetVersion())).description }
}

private let attached: natsEvLoop_Attach = { userData, loop, _, socket in
    guard let hooks = LinkHooks.from(loop) else { return NATS_ERR }
    hooks.socket.store(Int32(socket), ordering: .releasing)
    userData?.pointee = Unmanaged.passRetained(hooks).toOpaque()
    return NATS_OK
}

private let readable: natsEvLoop_ReadAddRemove = { _, _ in NATS_OK }

private let writable: natsEvLoop_WriteAddRemove = { userData, add in
    guard let hooks = LinkHooks.from(userData) else { return NATS_ERR }
    hooks.write(wanted: add)
    return NATS_OK
}

private let detached: natsEvLoop_Detach = { userData in
    guard let userData else { return NATS_ERR }
    let hooks = Unmanaged<LinkHooks>.fromOpaque(userData).takeRetainedValue()
    hooks.socket.store(-1, ordering: .releasing)
    hooks.waker.wake()
    return NATS_OK
}
