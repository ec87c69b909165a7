import Foundation
import Hummingbird

/// The operations by path.
struct RouteTable: Sendable {
    /// The operations of a path, and what its parameters are.
    struct Match: Sendable {
        /// As declared; never the client's text.
        var path: String
        var routes: [Route]
        var parameters: [String: String] = [:]
    }

    private let routes: [String: [Route]]
    private let patterns: [PathPattern]

    init(_ routes: [Route]) {
        self.routes = Dictionary(grouping: routes, by: \.path)
        patterns = self.routes.keys.compactMap(PathPattern.init)
    }

    /// Every operation, for checking the description of the API against them.
    var all: [Route] { routes.values.flatMap { $0 } }

    /// A path without parameters comes first.
    func match(_ path: String) -> Match? {
        if let routes = routes[path] { return Match(path: path, routes: routes) }
        for pattern in patterns {
            guard let parameters = pattern.parameters(of: path) else { continue }
            return Match(path: pattern.path, routes: routes[pattern.path] ?? [], parameters: parameters)
        }
        return nil
    }

    func has(_ path: String) -> Bool { match(path) != nil }

    /// The longest body that is taken at this path, in bytes.
    func bodyBytesMax(of path: String) -> Int {
        path.hasPrefix("/mail/") ? Route.bodyBytesStandard : Route.bodyBytesMax
    }

    /// A `HEAD` is answered like its `GET`, without the body.
    ///
    /// - Returns: the operation, and the parameters of the path.
    /// - Throws: ``APIProblem`` 404, 405.
    func route(
        _ method: HTTPRequest.Method, _ path: String
    ) throws(APIProblem) -> (route: Route, parameters: [String: String]) {
        guard let match = match(path) else {
            throw .notFound("no operation has this path; GET /openapi.json lists all of them")
        }
        let wanted = method == .head ? .get : method
        if let route = match.routes.first(where: { $0.method == wanted }) { return (route, match.parameters) }
        var problem = APIProblem(
            .methodNotAllowed, "method-not-allowed", "The path does not have this method",
            "accepted: \(methods(of: path))")
        problem.headers = [.allow: methods(of: path)]
        throw problem
    }

    /// For `Allow`.
    func methods(of path: String) -> String {
        let own = (match(path)?.routes ?? []).flatMap {
            $0.method == .get ? ["GET", "HEAD"] : [$0.method.rawValue]
        }
        return (own + ["OPTIONS"]).joined(separator: ", ")
    }
}

/// A path with parameters.
struct PathPattern: Sendable {
    private enum Segment: Sendable, Hashable {
        case fixed(String)
        case parameter(String)
    }

    let path: String
    private let segments: [Segment]

    /// nil for a path without parameters.
    init?(_ path: String) {
        guard path.contains("{") else { return nil }
        self.path = path
        segments = path.split(separator: "/", omittingEmptySubsequences: false).map { segment in
            segment.hasPrefix("{") && segment.hasSuffix("}")
                ? .parameter(String(segment.dropFirst().dropLast())) : .fixed(String(segment))
        }
    }

    /// The parameters, decoded; nil when the path is another one. A parameter is never empty.
    func parameters(of path: String) -> [String: String]? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, part) in zip(segments, parts) {
            switch segment {
            case .fixed(let text): if text != part { return nil }
            case .parameter(let name):
                guard !part.isEmpty, let value = part.removingPercentEncoding else { return nil }
                parameters[name] = value
            }
        }
        return parameters
    }
}
