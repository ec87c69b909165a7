import Crypto
import GRDB
import JWTKit
