"""A trained model as an HTTP service; the one folder that needs FastAPI and uvicorn.

``pip install "recbole_dsl[serve]"``. What is asked and answered: ``messages``; a request's way:
``app``.
"""
