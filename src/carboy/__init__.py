"""A large Flask: application factory, blueprints, services, DAOs and one container, on one event loop."""
