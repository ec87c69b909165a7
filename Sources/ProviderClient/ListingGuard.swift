import MailModel

/// Notices a listing that does not come to an end. A page may be empty and even name itself as the next: it is asked for
/// again, but not for ever.
public struct ListingGuard: Sendable {
    /// Pages without anything new in a row; more are taken for a listing that never ends.
    public static let emptyPagesMax = 50
    private let provider: String
    private var emptyPages = 0

    public init(provider: String) { self.provider = provider }

    /// A listing's next page; nil when this was the last.
    ///
    /// - Throws: `retry` when the listing does not come to an end.
    public mutating func next(
        _ next: String?, after current: String?, isEmpty: Bool
    ) throws(SyncFailure) -> String? {
        guard let next, !next.isEmpty else { return nil }
        emptyPages = isEmpty || next == current ? emptyPages + 1 : 0
        if emptyPages > Self.emptyPagesMax {
            emptyPages = 0
            throw SyncFailure(
                .retry(after: nil, scope: .account), code: "endless_listing",
                "\(provider) names ever further pages without anything on them")
        }
        return next
    }
}
