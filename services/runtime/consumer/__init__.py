"""The consumer: batches of records, each applied once in effect, in one transaction with inbox and positions."""

from services.runtime.consumer.handlers import BatchHandler, Handlers, Received, WatermarkHandler
from services.runtime.consumer.loop import Consumer

__all__ = ["BatchHandler", "Consumer", "Handlers", "Received", "WatermarkHandler"]
