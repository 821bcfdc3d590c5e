;; core module 0 is not there
(component (core instance (instantiate 0)))
