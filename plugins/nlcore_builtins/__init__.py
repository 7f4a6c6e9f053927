"""The methods that come with nlcore. They come in through the same entry points as anyone else's plugin."""
