/// The API's description for tools (OpenAPI 3.1), served as `GET /openapi.json`.
enum OpenAPIDocument {
    static let text = "{}"
}
