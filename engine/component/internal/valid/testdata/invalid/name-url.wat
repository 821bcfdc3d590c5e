;; "url=<<>" is no name
(component (import "url=<<>" (component)))
