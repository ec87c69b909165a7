import Hummingbird
import Metrics
