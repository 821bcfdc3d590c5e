;; instance 0 exports no "f"
(component (import "i" (instance $i)) (alias export $i "f" (func)))
