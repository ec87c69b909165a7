/// Faults as one writes them: `ENDPOINT RESPONSE [match=TEXT] [mailbox=ADDRESS] [times=N|ever] [skip=N]`.
///
/// ENDPOINT: `gmail` (any method), a method (`profile`, `list`, `get`, `history`, `labels`, `modify`, `trash`,
/// `delete`, `watch`, `stop`), `batch`, `token`, `revoke`, `jwks`.
/// At Microsoft: `graph` (any call), `me`, `folders`, `folder`, `child-folders`, `folders-delta`, `messages`, `delta`,
/// `message`, `subscribe`, `subscriptions`, `renew`, `unsubscribe`, `batch`, `token`.
/// On pushes: `push`, with `drop`, `double`, `delay:MS`, `reorder`, `garbage` or `forge`.
/// RESPONSE: a status (`503`), an error of Gmail (``GmailError/named``), Graph (``GraphError/named``) or a token
/// endpoint (``OAuthError/named``, ``MicrosoftOAuthError/named``), an odd page of Graph (``GraphPageFault/named``,
/// `foreign:ORIGIN`), `graph-wait:SECONDS` (429 with `Retry-After`), or one of `html502`, `garbage`, `drop`, `lose-answer`, `stall`, `empty-page`, `expire-token`, `delay:MS`, `truncate:BYTES`, `cut:BYTES`,
/// `oversized:BYTES`, `drip:BYTES:MS`, `lifetime:SECONDS`, `scopes:SCOPE,…`, `redirect:URL`, `retry-after:TIME`.
enum FaultText {
    struct Invalid: Error, Equatable {
        let reason: String
    }

    static let endpoints: [String: FaultEndpoint] = [
        "gmail": .anyGmail, "profile": .gmail(.getProfile), "list": .gmail(.messagesList),
        "get": .gmail(.messagesGet), "history": .gmail(.historyList), "labels": .gmail(.labelsList),
        "label": .gmail(.labelsGet), "modify": .gmail(.messagesModify), "batch-modify": .gmail(.messagesBatchModify),
        "trash": .gmail(.messagesTrash), "untrash": .gmail(.messagesUntrash), "delete": .gmail(.messagesDelete),
        "batch": .batch, "token": .token, "revoke": .revoke, "jwks": .jwks, "graph": .anyGraph, "me": .graph(.me),
        "folders": .graph(.foldersList), "folder": .graph(.foldersGet), "child-folders": .graph(.childFoldersList),
        "folders-delta": .graph(.foldersDelta), "messages": .graph(.messagesList), "delta": .graph(.messagesDelta),
        "watch": .gmail(.watch), "stop": .gmail(.stop),
        "message": .graph(.messagesGet), "subscribe": .graph(.subscriptionsCreate),
        "subscriptions": .graph(.subscriptionsList), "renew": .graph(.subscriptionsUpdate),
        "unsubscribe": .graph(.subscriptionsDelete), "push": .push,
    ]

    private static let plain: [String: FaultResponse] = [
        "html502": .html502, "garbage": .garbage, "drop": .drop, "lose-answer": .loseAnswer, "stall": .stall,
        "empty-page": .emptyPage, "expire-token": .expireAccessToken, "double": .double, "reorder": .reorder,
        "forge": .forge,
    ]

    static func parse(_ words: [String]) throws(Invalid) -> Fault {
        guard words.count >= 2 else { throw Invalid(reason: "a fault needs an endpoint and a response") }
        guard let endpoint = endpoints[words[0]] else {
            throw Invalid(
                reason: "unknown endpoint '\(words[0])'; one of \(endpoints.keys.sorted().joined(separator: ", "))")
        }
        guard let response = response(words[1]) else { throw Invalid(reason: "unknown fault response '\(words[1])'") }
        var fault = Fault(endpoint, response)
        for word in words.dropFirst(2) { try apply(word, to: &fault) }
        return fault
    }

    private static func apply(_ word: String, to fault: inout Fault) throws(Invalid) {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Invalid(reason: "'\(word)' is not of the form name=value") }
        switch (parts[0], Int(parts[1])) {
        case ("match", _): fault.match = parts[1]
        case ("mailbox", _): fault.mailbox = parts[1]
        case ("skip", let count?) where count >= 0: fault.skip = count
        case ("times", let count?) where count > 0: fault.times = count
        case ("times", _) where parts[1] == "ever": fault.times = nil
        default: throw Invalid(reason: "'\(word)' is not understood")
        }
    }

    static func response(_ text: String) -> FaultResponse? {
        if let known = plain[text] { return known }
        if let error = GmailError.named[text] { return .error(error) }
        if let error = OAuthError.named[text] { return .oauthError(error) }
        if let error = GraphError.named[text] { return .graphError(error) }
        if let error = MicrosoftOAuthError.named[text] { return .microsoftError(error) }
        if let fault = GraphPageFault.named[text] { return .page(fault) }
        if let status = Int(text) { return (100...599).contains(status) ? .status(status) : nil }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        return parts.count == 2 ? response(parts[0], argument: parts[1]) : nil
    }

    private static func response(_ name: String, argument: String) -> FaultResponse? {
        let number = Int(argument).flatMap { $0 >= 0 ? $0 : nil }
        switch name {
        case "delay": return number.map { .delay(.milliseconds($0)) }
        case "cut": return number.map { .cut(bytes: $0) }
        case "foreign": return .page(.foreignLink(argument))
        case "graph-wait":
            return number.map { .graphError(GraphError(429, "TooManyRequests", "Wait.", retryAfterSeconds: $0)) }
        case "truncate": return number.map { .truncate(bytes: $0) }
        case "oversized": return number.map { .oversized(bytes: $0) }
        case "lifetime": return number.map { .shortLifetime(seconds: $0) }
        case "scopes": return .narrowScopes(argument.split(separator: ",").map(String.init))
        case "redirect": return .redirect(argument)
        case "retry-after": return .error(.userRateRetryAfter(argument))
        case "drip":
            let numbers = argument.split(separator: ":").map { Int($0) }
            guard numbers.count == 2, let bytes = numbers[0], let pause = numbers[1], bytes > 0, pause >= 0 else {
                return nil
            }
            return .drip(bytes: bytes, every: .milliseconds(pause))
        default: return nil
        }
    }
}
