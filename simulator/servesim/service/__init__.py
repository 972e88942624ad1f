"""Around the world: the clock that moves it, the gateway that answers requests, the hub that finds it."""
