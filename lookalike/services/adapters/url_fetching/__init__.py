"""Fetching what URLs of strangers lead to, by AntiSSRF, requests and urllib3."""
