;; component 0 is not there
(component (instance (instantiate 0)))
