/// Answers that operations share.
extension OpenAPIDocument {
    // swift-format-ignore
    static let responses = #"""
            "responses": {
              "Malformed": {
                "description": "The request or its JSON cannot be read.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "Unauthorized": {
                "description": "No token, or not a valid one.",
                "headers": {"WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "NotFound": {
                "description": "No such account is connected.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "RequestTimeout": {
                "description": "The body did not arrive in time.",
                "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "BodyTooLarge": {
                "description": "The body is larger than 64 KiB (/mail/…) or 256 KiB (everything else).",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "WrongMediaType": {
                "description": "The body is not declared as JSON.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "InvalidField": {
                "description": "A field is missing, mistyped, empty or has an unknown value; 'field' names it.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "RateLimited": {
                "description": "More requests than this user may make.",
                "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "HeadersTooLarge": {
                "description": "The headers are larger than 32 KiB.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "InternalError": {
                "description": "Something went wrong in the service.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "Unavailable": {
                "description": "The service cannot do this now, or is not configured for it.",
                "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              }
            }
          }
        }

        """#
}
