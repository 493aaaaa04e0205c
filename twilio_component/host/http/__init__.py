"""One HTTP request and its response, over aiohttp or an injected httpx transport."""
